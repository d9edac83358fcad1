import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from src.records.reader import read_cell
from src.report.findings.board import build_boards
from src.report.findings.generalisation import Generalisation, generalisation
from src.report.findings.leaderboard import Table, build_tables
from tests.report.drawing.test_page import page_of


def told(tables: list[Table]) -> Generalisation:
    return generalisation(tables, build_boards(tables))


def found_in(*folders):
    return told(build_tables([read_cell(folder) for folder in folders]))


@pytest.fixture
def cells(make_cell):
    """Three models on three data sets; one was trained on a, one on b, of one it is not known."""
    trained = {"one": ["a"], "two": ["b"], "three": ["unknown"], "four": ["web"]}
    quality = {"one": 0.1, "two": 0.12, "three": 0.2, "four": 0.11}
    return {
        (model, data): make_cell(
            f"{model}/{data}", model=model, data=data, data_family=data, card={"training_data": trained[model]},
            quality=quality[model] * (0.5 if data in trained[model] else 1.0), prefix=data, images=20,
            protocols=("metric",),
        )
        for model in trained
        for data in "abc"
    }  # fmt: skip


def mean(folder):
    return pq.read_table(folder / "records.parquet")["metric.error.abs_rel"].to_numpy().mean()


def test_domains_are_those_of_the_cards(cells):
    (found,) = found_in(*cells.values()).domains
    by_name = {one.name: one for one in found.reaches}
    assert (by_name["one"].in_domain, by_name["one"].zero_shot) == (("a",), ("b", "c"))
    assert (by_name["two"].in_domain, by_name["two"].zero_shot) == (("b",), ("a", "c"))
    assert by_name["three"].unknown == ("a", "b", "c")
    assert by_name["four"].zero_shot == ("a", "b", "c")


def test_zero_shot_ranks_are_over_data_that_none_of_them_saw(cells):
    (found,) = found_in(*cells.values()).domains
    by_name = {one.name: one for one in found.reaches}
    ranked = {name for name, one in by_name.items() if one.rank}
    assert by_name["three"].rank is None
    for name in ranked:
        assert set(found.shared) <= set(by_name[name].zero_shot)
        expected = np.mean([mean(cells[name, data]) for data in found.shared])
        assert by_name[name].mean == pytest.approx(expected)


def test_levels_and_gaps_by_hand(cells):
    (found,) = found_in(*cells.values()).domains
    one = next(reach for reach in found.reaches if reach.name == "one")
    level = {
        data: mean(cells["one", data])
        / np.median([mean(cells[model, data]) for model in ("one", "two", "three", "four")])
        for data in "abc"
    }
    for got, expected, sets in (
        (one.in_domain_level, level["a"], 1),
        (one.zero_shot_level, np.sqrt(level["b"] * level["c"]), 2),
        (one.gap, np.sqrt(level["b"] * level["c"]) / level["a"], 3),
    ):
        assert (got.value, got.sets) == (pytest.approx(expected), sets)
        assert got.low < got.value < got.high
    assert one.gap.value > 1
    worst = max(level, key=lambda data: level[data])
    assert one.worst == (worst, pytest.approx(level[worst]))


def test_kinds_of_scene_by_hand(make_cell):
    folder = make_cell(images=20, protocols=("metric",), place=lambda i: "outdoor" if i % 4 else "indoors")
    (found,) = found_in(folder).kinds
    values = pq.read_table(folder / "records.parquet")["metric.error.abs_rel"].to_numpy()
    outdoor = np.arange(20) % 4 > 0
    assert found.images == {"indoors": 5, "outdoor": 15}
    assert found.means["ramp"] == {
        "indoors": pytest.approx(values[~outdoor].mean()),
        "outdoor": pytest.approx(values[outdoor].mean()),
    }
    means = sorted([values[~outdoor].mean(), values[outdoor].mean()])
    assert found.ratios["ramp"] == pytest.approx(means[1] / means[0])


def test_nothing_known_is_no_section(make_cell):
    assert not page_of(make_cell()).all("section", id="generalisation")


def test_the_section_on_the_page(cells):
    (section,) = (page := page_of(*cells.values())).all("section", id="generalisation")
    assert "Zero-shot only, on" in section.text
    assert [one.text for one in page.all("h2") if one.within(section)] == ["Does it generalise?"]


def test_near_and_far_by_hand(make_cell):
    cell = read_cell(make_cell(images=3, protocols=("metric",), depth_edges=[0.0, 2.0, 5.0, 10.0]))
    pixels = np.array([[40, 30, 0], [10, 50, 20], [50, 0, 100]])
    errors = np.array([[0.1, 0.2, np.nan], [0.3, 0.1, 0.5], [0.2, np.nan, 0.4]])
    scored = dataclasses.replace(cell.scores["metric"], depth_pixels=pixels, depth_abs_rel=errors)
    tables = build_tables([dataclasses.replace(cell, scores={"metric": scored})])
    (found,) = told(tables).distances
    assert (found.edge, found.share) == (5.0, pytest.approx(180 / 300))
    near = (40 * 0.1 + 30 * 0.2 + 10 * 0.3 + 50 * 0.1 + 50 * 0.2) / 180
    far = (20 * 0.5 + 100 * 0.4) / 120
    assert found.errors == {"ramp": (pytest.approx(near), pytest.approx(far))}
    # a data set whose pixels lie in one bin has no near and far
    alone = dataclasses.replace(scored, depth_pixels=pixels * [1, 0, 0])
    assert told(build_tables([dataclasses.replace(cell, scores={"metric": alone})])).distances == ()


def test_two_models_on_one_more_set_move_no_gap(cells, make_cell):
    (before,) = found_in(*cells.values()).domains
    more = [
        make_cell(f"{name}x", model=name, data="x", images=20, prefix="x", protocols=("metric",), data_family="x",
                  quality=quality, card={"training_data": ["a"]})
        for name, quality in (("one", 0.2), ("two", 0.3))
    ]  # fmt: skip
    (after,) = found_in(*cells.values(), *more).domains
    assert {one.name: one.gap for one in after.reaches} == {one.name: one.gap for one in before.reaches}


def test_rows_on_some_sets_move_no_gap(cells, make_cell):
    """A model that is far better, or worse, on a part of the sets changes nobody's level."""
    (before,) = found_in(*cells.values()).domains
    more = [
        make_cell(f"{name}{data}", model=name, data=data, quality=quality, images=20, prefix=data,
                  protocols=("metric",), data_family=data, card={"training_data": ["a"]})
        for name, quality in (("five", 0.001), ("six", 5.0), ("seven", 0.002))
        for data in "bc"
    ]  # fmt: skip
    (after,) = found_in(*cells.values(), *more).domains
    gaps = {reach.name: reach.gap for reach in before.reaches}
    assert any(gaps.values())
    assert {reach.name: reach.gap for reach in after.reaches if reach.name in gaps} == gaps
    assert after.compared == before.compared
