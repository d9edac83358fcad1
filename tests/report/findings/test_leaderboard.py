from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.records.aggregate import estimates
from src.records.reader import read_cell
from src.records.schema import MetricInfo
from src.report.findings.leaderboard import Table, build_tables

Make = Callable[..., Path]


def tables_of(*folders: Path) -> list[Table]:
    return build_tables([read_cell(folder) for folder in folders])


def names(table: Table) -> list[str]:
    return [row.name for row in table.rows]


def test_one_table_per_data_variant_and_protocol_in_the_order_applied(make_cell: Make) -> None:
    tables = tables_of(
        make_cell("a", data="rooms", protocols=("metric", "affine_depth")),
        make_cell("b", data="rooms", protocols=("affine_depth", "affine_disparity")),
        make_cell("c", data="garden", protocols=("metric",)),
    )
    assert [(table.key.data, table.key.protocol, len(table.rows)) for table in tables] == [
        ("garden", "metric", 1),
        ("rooms", "metric", 1),
        ("rooms", "affine_depth", 2),
        ("rooms", "affine_disparity", 1),
    ]
    assert all(table.apart == () for table in tables)


def test_the_numbers_are_those_of_the_records(make_cell: Make) -> None:
    folder = make_cell(images=9, quality=0.2)
    (table, _) = tables_of(folder)
    assert table.rows[0].estimates == estimates(read_cell(folder).scores)["metric"]


def test_rows_are_sorted_best_first_with_unranked_ones_below(make_cell: Make) -> None:
    (table,) = tables_of(
        make_cell("a", model="worse", quality=0.3, protocols=("metric",)),
        make_cell("b", model="cheat", quality=0.01, protocols=("metric",), uses_ground_truth=True),
        make_cell("c", model="better", quality=0.1, protocols=("metric",)),
    )
    assert names(table) == ["better", "worse", "cheat"]
    assert [row.unranked for row in table.rows] == [(), (), ("uses ground truth",)]


def test_a_first_metric_that_should_be_high_is_sorted_so(make_cell: Make) -> None:
    metrics = {"delta1": MetricInfo(unit="fraction", higher_is_better=True)}
    (table,) = tables_of(
        make_cell("a", model="worse", quality=0.3, protocols=("metric",), metrics=metrics),
        make_cell("b", model="better", quality=0.1, protocols=("metric",), metrics=metrics),
    )
    assert names(table) == ["better", "worse"]


def test_the_best_value_is_looked_for_among_ranked_rows(make_cell: Make) -> None:
    better, worse, cheat = (
        make_cell("a", quality=0.1, protocols=("metric",)),
        make_cell("b", quality=0.3, protocols=("metric",)),
        make_cell("c", quality=0.01, protocols=("metric",), random_weights=True),
    )
    (table,) = tables_of(better, worse, cheat)
    expected = estimates(read_cell(better).scores)["metric"]
    assert table.best("abs_rel") == expected["abs_rel"].mean
    assert table.best("delta1") == expected["delta1"].mean
    (alone,) = tables_of(cheat)
    assert alone.best("abs_rel") is None


def test_a_cell_in_which_every_image_was_skipped_comes_last(make_cell: Make) -> None:
    tables = tables_of(make_cell("a", images=2, protocols=("metric",), statuses={0: "skipped", 1: "skipped"}))
    assert tables[0].rows[0].estimates["abs_rel"].mean is None
    assert tables[0].best("abs_rel") is None


SETTINGS = {"model": {}, "data": {"depth_range": [0.001, 10.0]}, "seed": 0}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": 4, "limited": True}, "the images or their valid pixels"),
        ({"prefix": "other/"}, "the images or their valid pixels"),
        ({"valid_pixels": 2999}, "the images or their valid pixels"),
        ({"version": 2}, "the protocol version"),
        ({"config": {**SETTINGS, "data": {"depth_range": [0.001, 80.0]}}}, "the settings of the data variant"),
        ({"config": {**SETTINGS, "protocol": {"metric": {"clip": None}}}}, "the settings of the protocol"),
    ],
)
def test_what_must_not_be_mixed_is_kept_apart_and_says_so(
    make_cell: Make, changes: dict[str, Any], reason: str
) -> None:
    plain = {"images": 5, "protocols": ("metric",), "config": SETTINGS}
    tables = tables_of(make_cell("a", **plain), make_cell("b", **plain), make_cell("c", **plain | changes))
    assert [len(table.rows) for table in tables] == [2, 1]
    assert [table.apart for table in tables] == [(reason,), (reason,)]


def test_skipped_images_are_the_same_images(make_cell: Make) -> None:
    tables = tables_of(
        make_cell("a", protocols=("metric",), statuses={1: "skipped"}),
        make_cell("b", protocols=("metric",), statuses={1: "skipped", 2: "failed"}),
    )
    assert [len(table.rows) for table in tables] == [2]


def test_rows_of_one_model_say_what_sets_them_apart(make_cell: Make) -> None:
    def config(steps: int, seed: int) -> dict[str, Any]:
        return {"model": {"steps": steps, "scheduler": {"name": "ddim"}}, "data": {}, "seed": seed}

    (table,) = tables_of(
        make_cell("a", protocols=("metric",), model="marigold", quality=0.2, config=config(1, 0)),
        make_cell("b", protocols=("metric",), model="marigold", config=config(4, 0)),
        make_cell("c", protocols=("metric",), model="marigold", config=config(4, 7)),
        make_cell("d", protocols=("metric",), model="marigold", quality=0.3, resolution="768", config=config(4, 0)),
        make_cell("e", protocols=("metric",), model="ramp", config=config(9, 0)),
    )
    assert sorted(names(table)) == ["marigold at 768", "marigold steps=1", "marigold steps=4", "ramp"]
    assert sorted(row.name for row in table.measured) == [
        "marigold at 768",
        "marigold steps=1, seed=0",
        "marigold steps=4, seed=0",
        "marigold steps=4, seed=7",
        "ramp",
    ]


def test_facts_about_the_protocol_and_the_data(make_cell: Make) -> None:
    (metric,) = tables_of(make_cell("a", protocols=("metric",)))
    assert metric.alignment == "none, metres are scored as predicted"
    assert metric.depth_range == (0.001, 10.0)
    (affine,) = tables_of(make_cell("b", protocols=("affine_depth",), config={"model": {}, "data": {}}))
    assert affine.alignment.startswith("scale and shift per image, fitted to the ground truth in depth")
    assert affine.depth_range is None


def test_ranked_rows_decide_the_decimals(make_cell: Make) -> None:
    (table,) = tables_of(
        make_cell("a", quality=0.3, protocols=("metric",)),
        make_cell("b", quality=1e-6, protocols=("metric",), uses_ground_truth=True),
    )
    assert (table.decimals("abs_rel"), table.decimals("rmse"), table.decimals("silog")) == (4, 3, 2)
