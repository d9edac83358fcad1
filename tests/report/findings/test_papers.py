import pytest

from src.records.reader import read_cell
from src.records.reproduction import paper_tables
from src.records.schema import MetricInfo
from src.report.drawing.sections import papers
from src.report.findings.leaderboard import build_tables
from src.report.findings.papers import _verdict, compare
from tests.report import conftest
from tests.report.drawing.test_page import page_of

METRICS = {
    "abs_rel": MetricInfo(unit="fraction", higher_is_better=False),
    "delta1": MetricInfo(unit="fraction", higher_is_better=True),
}


@pytest.fixture
def marigold(make_cell, monkeypatch):
    monkeypatch.setitem(conftest.FITTED_IN, "marigold", "depth")

    def make(name="a", steps=50, ensemble=10, resolution="native", **options):
        config = {"model": {"steps": steps, "ensemble": ensemble}, "data": {}, "seed": 0}
        fields = {"model": "marigold_v1_0", "data": "kitti_marigold", "images": 20, "metrics": METRICS} | options
        return make_cell(name, protocols=("marigold",), resolution=resolution, config=config, **fields)

    return make


def compared(*folders):
    return compare(build_tables([read_cell(folder) for folder in folders]))


def test_the_printed_number_of_exactly_that_setting_is_found(marigold):
    folder = marigold()
    (found,) = compared(folder)
    assert found.table.name == "marigold_cvpr"
    by_metric = {one.metric: one for one in found.comparisons}
    assert by_metric["abs_rel"].published == pytest.approx(0.099)
    assert by_metric["delta1"].published == pytest.approx(0.916)
    assert "w/ ensemble" in by_metric["abs_rel"].printed.source
    mean = read_cell(folder).scores["marigold"].errors["abs_rel"].mean()
    assert by_metric["abs_rel"].measured == pytest.approx(mean)
    assert by_metric["abs_rel"].difference == pytest.approx(mean - 0.099)
    assert [one.value for one in by_metric["abs_rel"].others] == [0.0992]
    (alone,) = compared(marigold("b", ensemble=1))
    assert alone.comparisons[0].published == pytest.approx(0.105)
    assert alone.missing == found.missing == 2 * 10 - 2


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 10},
        {"ensemble": 5},
        {"resolution": "768"},
        {"data": "kitti"},
        {"model": "marigold"},
    ],
)
def test_what_the_paper_did_not_run_is_not_compared(marigold, changes):
    assert compared(marigold(**changes)) == ()


def test_verdicts(marigold):
    def verdict(**changes):
        (found,) = compared(marigold(str(len(seen)), **changes))
        seen.append(found)
        return next(one for one in found.comparisons if one.metric == "abs_rel")

    seen = []
    far = verdict(quality=0.5)
    assert (far.verdict, far.because) == ("deviates", "")
    for reason, changes in {
        "random weights": {"random_weights": True},
        "limited to 20 images": {"limited": True},
        "1 failed": {"statuses": {0: "failed"}},
    }.items():
        grey = verdict(quality=0.5, **changes)
        assert (grey.verdict, grey.because) == ("no verdict", reason)


def test_a_verdict_is_a_matter_of_the_tolerance(marigold):
    row = build_tables([read_cell(marigold())])[0].rows[0]
    (table,) = [one for one in paper_tables() if one.name == "depth_anything_v2"]
    columns = {one.dataset: one for one in table.columns}
    assert _verdict(row, columns["nyu"], near=True) == ("reproduced", "")
    assert _verdict(row, columns["nyu"], near=False) == ("deviates", "")
    assert _verdict(row, columns["diode"], near=True) == ("reproduced", "")
    verdict, because = _verdict(row, columns["diode"], near=False)
    assert verdict == "not reachable"
    assert "never released" in because


def test_the_section_on_the_page(marigold, make_cell):
    page = page_of(marigold(), builders=(papers,))
    (section,) = page.all("section", id="papers")
    assert "0.099" in section.text
    assert "others measured 0.0992" in section.text
    assert "printed 9.9 percent" in section.text
    assert not page_of(make_cell("z"), builders=(papers,)).all("section", id="papers")
