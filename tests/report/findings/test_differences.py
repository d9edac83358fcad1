import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.stats

from src.records.aggregate import estimates
from src.records.reader import read_cell
from src.report.findings.differences import Differences, differences
from src.report.findings.leaderboard import build_tables
from src.report.findings.verdicts import average_ranks
from tests.report.drawing.test_page import page_of


def found_in(*folders, metric="abs_rel") -> tuple[Differences, ...]:
    found = differences(tuple(build_tables([read_cell(folder) for folder in folders])))
    return tuple(one for one in found if one.metric == metric)


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
    assert found.unit == "scenes"
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


def test_where_signed_ranks_can_show_nothing_the_means_decide(make_cell):
    """Six scenes: p is never below 1/32, times three pairs that is 9 %."""
    (found,) = found_in(*three(make_cell, cluster=lambda position: f"scene {position // 10}"))
    assert "never below 0.031, and 3 pairs make that 0.094" in found.untestable
    assert found.contests["best", "poor"].outcome == "better"
    assert found.contests["best", "near"].outcome == "open"
    assert "by the test of means" in found.verdict or "within noise" in found.verdict


def test_two_equal_models_are_rarely_told_apart(make_cell):
    """Whole record sets, eight scenes each, both models from one distribution."""
    (a, b) = (
        make_cell(name, model=name, images=40, cluster=lambda i: f"s{i // 5}", protocols=("metric",)) for name in "ab"
    )
    table, *_ = build_tables([read_cell(a), read_cell(b)])
    generator = np.random.default_rng(0)
    wrong = sure = 0
    for _ in range(500):
        shared = generator.normal(size=(8, 1))
        own = generator.normal(size=(2, 8, 1)) + generator.normal(size=(2, 8, 5))
        drawn = np.exp(0.3 * (shared + own)).reshape(2, 40)
        rows = tuple(with_errors(row, values) for row, values in zip(table.rows, drawn, strict=True))
        (found,) = [one for one in differences((dataclasses.replace(table, rows=rows),)) if one.metric == "abs_rel"]
        wrong += found.contests["a", "b"].outcome in ("better", "worse")
        lines = {row.name: (row,) for row in rows}
        sure += "no other model" in average_ranks("abs_rel", table.info.metrics["abs_rel"], lines, ["rooms"]).verdict
    assert wrong / 500 <= 0.06
    assert sure / 500 <= 0.06


def with_errors(row, values):
    scored = dataclasses.replace(row.scored, errors={**row.scored.errors, "abs_rel": values})
    cell = dataclasses.replace(row.cell, scores={"metric": scored})
    return dataclasses.replace(row, cell=cell, estimates=estimates({"metric": scored})["metric"])


def test_no_bars_where_nothing_differs(make_cell):
    cells = [
        make_cell(name, model=name, quality=0.1 + 1e-5 * k, images=12, protocols=("metric",))
        for k, name in enumerate("abc")
    ]
    (found,) = found_in(*cells)
    assert found.diagram.test.p > 0.05
    assert found.diagram.bars == ()


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
