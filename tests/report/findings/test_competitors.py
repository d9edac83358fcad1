"""Who competes: replicates and floors take no place from anybody."""

import numpy as np
import pytest

from src.records.reader import read_cell
from src.report.findings.board import Board, build_boards
from src.report.findings.differences import differences
from src.report.findings.leaderboard import build_tables, comparable_rows, tables_of
from src.report.findings.row import FLOOR
from tests.report.findings.test_board import column, grid_of


def config(target="Network", seed=0, **model):
    return {"model": {"_target_": target, **model}, "data": {"depth_range": [0.001, 10.0]}, "seed": seed}


def cell(make_cell, model, data, quality=0.2, seed=0, target="Network", **options):
    name = f"{model}-{data}-{seed}-{options.get('resolution', '')}"
    return make_cell(
        name, model=model, data=data, prefix=f"{data}/", images=20, quality=quality, protocols=("metric",), seed=seed,
        config=config(target, seed), **options,
    )  # fmt: skip


def boards_of(cells) -> tuple[Board, ...]:
    return build_boards(build_tables([read_cell(one) for one in cells]))


def test_seeds_are_one_competitor_with_their_mean_and_spread(make_cell):
    seeds = [cell(make_cell, "noisy", "a", quality=0.2 + 0.01 * k, seed=k) for k in range(3)]
    (table,) = build_tables([read_cell(one) for one in (*seeds, cell(make_cell, "other", "a", quality=0.5))])
    (noisy,) = [row for row in table.rows if row.manifest.model == "noisy"]
    means = [column(one, "metric", "abs_rel").mean() for one in seeds]
    assert (noisy.name, noisy.seeds) == ("noisy", (0, 1, 2))
    assert noisy.estimates["abs_rel"].mean == pytest.approx(np.mean(means))
    assert noisy.deviations["abs_rel"] == pytest.approx(np.std(means, ddof=1))
    assert len(table.measured) == 4
    (found,) = [one for one in differences((table,)) if one.metric == "abs_rel"]
    assert found.names == ("noisy", "other"), "one pair, not six"


def test_seeds_on_one_set_do_not_push_the_others_out_of_the_rank(make_cell):
    cells = [cell(make_cell, "noisy", "a", seed=k, quality=0.2 + 0.01 * k) for k in range(5)]
    cells += [cell(make_cell, "noisy", data) for data in "bc"]
    cells += [cell(make_cell, "other", data, quality=0.4) for data in "abc"]
    (board,) = boards_of(cells)
    grid = grid_of(board)
    assert grid.shared == (0, 1, 2)
    assert [line.name for line in grid.lines] == ["noisy", "other"]


def test_measurements_with_the_same_numbers_are_one(make_cell):
    cells = [cell(make_cell, "same", "a", resolution=size) for size in ("default", "384", "518")]
    cells += [cell(make_cell, "same", "b", resolution="384"), cell(make_cell, "other", "a", quality=0.5)]
    cells += [cell(make_cell, "other", "b", quality=0.5)]
    (board,) = boards_of(cells)
    grid = grid_of(board)
    assert sorted(line.name for line in grid.lines) == ["other", "same"]
    assert grid.shared == (0, 1), "also where only one of them was measured"
    (same,) = [line for line in grid.lines if line.name == "same"]
    assert same.entries[0].row.same_as == ("same at 384", "same at 518")


def test_floors_stand_by_unless_asked_for_or_alone(make_cell):
    network = [cell(make_cell, "net", data, quality=0.5) for data in "ab"]
    floors = [cell(make_cell, "ramp", "a", quality=0.1, target="Ramp")]
    (board,) = boards_of([*network, *floors])
    (ramp,) = [line for line in grid_of(board).lines if line.name == "ramp"]
    assert (ramp.unranked, ramp.rank) == ((FLOOR,), None)
    assert [line.entries[0].place for line in grid_of(board).lines] == [1, None]
    untrained = cell(make_cell, "untrained", "a", random_weights=True)
    for cells, asked in (([*network, *floors], True), (floors, False), ([untrained, *floors], False)):
        rows = comparable_rows([read_cell(one) for one in cells], floors=asked)
        found = [row for table in tables_of(rows) for row in table.rows if row.manifest.model == "ramp"]
        assert all(not row.unranked for row in found)
