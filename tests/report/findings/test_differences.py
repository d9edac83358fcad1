import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.stats

from src.records.reader import read_cell
from src.report.findings.differences import Differences, differences
from src.report.findings.leaderboard import build_tables
from tests.report.drawing.test_page import page_of


def found_in(*folders) -> tuple[Differences, ...]:
    return differences(tuple(build_tables([read_cell(folder) for folder in folders])))


def errors(folder) -> np.ndarray:
    return pq.read_table(folder / "records.parquet")["metric.error.abs_rel"].to_numpy()


def three(make_cell, **options):
    return [
        make_cell(name, model=name, quality=quality, images=60, protocols=("metric",), **options)
        for name, quality in (("best", 0.1), ("near", 0.1005), ("poor", 0.3))
    ]


def test_pairs_against_scipy_and_the_files(make_cell):
    cells = three(make_cell)
    (found,) = found_in(*cells)
    assert found.unit == "images"
    values = {cell.name: errors(cell) for cell in cells}
    for (first, second), contest in found.contests.items():
        gap = values[first] - values[second]
        assert contest.difference == pytest.approx(gap.mean())
        assert contest.wins == pytest.approx((gap < 0).mean())
        assert contest.images == contest.units == 60
        width = 1.96 * gap.std(ddof=1) / np.sqrt(60)
        assert contest.low == pytest.approx(gap.mean() - width, abs=0.25 * width)
        assert contest.high == pytest.approx(gap.mean() + width, abs=0.25 * width)
    plain = sorted(scipy.stats.wilcoxon(values[a] - values[b]).pvalue for a, b in
                   (("best", "near"), ("best", "poor"), ("near", "poor")))  # fmt: skip
    adjusted = sorted({contest.p_ranks for contest in found.contests.values()})
    assert adjusted[-1] == pytest.approx(max(plain[2], 2 * plain[1], 3 * plain[0]))


def test_what_is_real_and_what_is_noise(make_cell):
    (found,) = found_in(*three(make_cell))
    assert found.contests["best", "poor"].outcome == "better"
    assert found.contests["poor", "best"].outcome == "worse"
    assert found.contests["best", "near"].outcome == "open"
    leader, runner_up = found.names[:2]
    assert f"{leader} has the best mean, but is not shown to be better than {runner_up}: within noise" in found.verdict


def test_the_other_side_of_a_pair_is_its_mirror(make_cell):
    (found,) = found_in(*three(make_cell))
    for (first, second), contest in found.contests.items():
        other = found.contests[second, first]
        assert (other.difference, other.low, other.high) == (-contest.difference, -contest.high, -contest.low)
        assert other.wins == pytest.approx(1 - contest.wins)
        assert (other.p_mean, other.p_ranks) == (contest.p_mean, contest.p_ranks)


def test_frames_of_few_scenes_prove_less(make_cell):
    by_scene = {"cluster": lambda position: f"scene {position // 6}"}
    (found,) = found_in(*three(make_cell, **by_scene))
    assert found.unit == "groups"
    contest = found.contests["best", "poor"]
    assert (contest.images, contest.units) == (60, 10)
    assert found.diagram is not None
    assert found.diagram.test.blocks == 10


def test_the_diagram_is_friedman_and_nemenyi_over_images(make_cell):
    cells = three(make_cell)
    (found,) = found_in(*cells)
    values = np.stack([errors(cell) for cell in cells], axis=1)
    assert found.diagram is not None
    assert found.diagram.test.statistic == pytest.approx(scipy.stats.friedmanchisquare(*values.T).statistic)
    assert found.diagram.names[-1] == "poor"
    assert len(found.diagram.bars) == 1


def test_unranked_rows_and_single_images_are_not_compared(make_cell):
    assert found_in(make_cell("a", model="a"), make_cell("b", model="b", random_weights=True)) == ()
    assert found_in(make_cell("c", model="c", images=1), make_cell("d", model="d", images=1)) == ()


def test_images_that_one_model_lacks_count_for_neither(make_cell):
    cells = three(make_cell)
    table = pq.read_table(cells[0] / "records.parquet")
    values = table["metric.error.abs_rel"].to_numpy().copy()
    values[:5] = np.nan
    place = table.schema.get_field_index("metric.error.abs_rel")
    changed = table.set_column(place, table.schema.field(place), [values])
    pq.write_table(changed, cells[0] / "records.parquet")
    (found,) = found_in(*cells)
    contest = found.contests["best", "poor"]
    assert contest.images == 55
    assert contest.difference == pytest.approx((values - errors(cells[2]))[5:].mean())


def test_the_section_names_everything_in_text(make_cell):
    evil = "<b>x</b>"
    page = page_of(make_cell("a", model=evil, images=20), make_cell("b", model="y", images=20, quality=0.4))
    assert evil not in page.source
    (section,) = page.all("section", id="differences")
    cells = [one for one in page.all("td") if one.within(section) and one.attributes.get("class") == "better"]
    assert cells
    assert all("better," in one.text and "wins" in one.text for one in cells)
    (numbers,) = [one for one in page.all("details") if one.within(section) and "numbers" in one.attributes["class"]][
        :1
    ]
    heads = [one.text for one in page.all("th") if one.within(numbers) and one.attributes["scope"] == "col"]
    assert heads[1:4] == ["Difference", "95 % interval", "p of means"]
    pairs = [one.text for one in page.all("th") if one.within(numbers) and one.attributes["scope"] == "row"]
    assert pairs == [f"{evil} − y"]
