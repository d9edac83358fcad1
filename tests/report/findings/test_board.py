"""Boards against numbers worked out from the Parquet files by hand."""

import csv
import html
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from src.records.reader import read_cell
from src.report.export.spreadsheet import write_ranks
from src.report.export.terminal import terminal_board
from src.report.findings.board import Board, Grid, Line, build_boards
from src.report.findings.leaderboard import build_tables
from tests.report.drawing.test_page import page_of

Make = Callable[..., Path]


def boards_of(*folders: Path) -> tuple[Board, ...]:
    return build_boards(build_tables([read_cell(folder) for folder in folders]))


def grid_of(board: Board, metric: str = "abs_rel") -> Grid:
    (grid,) = [grid for grid in board.grids if grid.metric == metric]
    return grid


def line_of(grid: Grid, name: str) -> Line:
    (line,) = [line for line in grid.lines if line.name == name]
    return line


def column(folder: Path, protocol: str, metric: str) -> np.ndarray:
    """Straight from the file, images that are ok only."""
    table = pq.read_table(folder / "records.parquet")
    ok = np.array(table[f"{protocol}.status"].to_pylist()) == "ok"
    return table[f"{protocol}.error.{metric}"].to_numpy()[ok]


def test_values_and_places_are_those_of_the_files(make_cell: Make) -> None:
    cells = {
        (model, data): make_cell(
            f"{model}/{data}", model=model, data=data, quality=quality * hard, images=40, prefix=f"{data}/",
            protocols=("metric",),
        )
        for model, quality in (("good", 0.1), ("fair", 0.15), ("poor", 0.3))
        for data, hard in (("rooms", 1.0), ("streets", 2.0))
    }  # fmt: skip
    (board,) = boards_of(*cells.values())
    assert board.labels == ("rooms", "streets")
    for metric, sign in (("abs_rel", 1), ("delta1", -1)):
        grid = grid_of(board, metric)
        means = {key: column(folder, "metric", metric).mean() for key, folder in cells.items()}
        for line in grid.lines:
            for label, entry in zip(board.labels, line.entries, strict=True):
                assert entry is not None
                assert entry.estimate.mean == pytest.approx(means[line.name, label])
                rivals = [sign * mean for (_, data), mean in means.items() if data == label]
                assert entry.place == 1 + sum(rival < sign * means[line.name, label] for rival in rivals)
        assert [line.name for line in grid.lines] == ["good", "fair", "poor"]
        assert [line.rank.mean for line in grid.lines if line.rank] == [1, 2, 3]


def test_ranks_far_apart_are_certain_and_near_ones_are_not(make_cell: Make) -> None:
    def cell(model: str, data: str, quality: float) -> Path:
        return make_cell(
            f"{model}/{data}", model=model, data=data, quality=quality, images=30, prefix=data, protocols=("metric",)
        )

    (board,) = boards_of(
        *(cell("one", data, 0.1) for data in "ab"),
        *(cell("two", data, 0.1001) for data in "ab"),
        *(cell("far", data, 0.9) for data in "ab"),
    )
    grid = grid_of(board)
    far = line_of(grid, "far").rank
    assert far is not None
    assert (far.mean, far.low, far.high) == (3, 3, 3)
    first, second = (line.rank for line in grid.lines[:2])
    assert first is not None
    assert second is not None
    assert first.low == 1
    assert second.high == 2
    assert "within noise" in grid.verdict
    assert "far" not in grid.verdict


def test_a_clear_leader_is_called_one(make_cell: Make) -> None:
    cells = [make_cell(name, model=name, quality=quality, images=30) for name, quality in (("a", 0.05), ("b", 0.5))]
    assert grid_of(boards_of(*cells)[0]).verdict.startswith("a ranks first, and no other")


def test_cells_that_must_not_be_compared_have_columns_of_their_own(make_cell: Make) -> None:
    (board,) = boards_of(
        make_cell("a", model="a", protocols=("metric",)),
        make_cell("b", model="b", protocols=("metric",), valid_pixels=2999),
        make_cell("c", model="c", protocols=("metric",), images=4, limited=True),
    )
    assert board.labels == (
        "rooms (5 images, 15,000 valid pixels)", "rooms (5 images, 14,995 valid pixels)", "rooms (4 images)"
    )  # fmt: skip
    for line in grid_of(board).lines:
        assert sum(entry is not None for entry in line.entries) == 1
    assert grid_of(board).shared == ()


def test_versions_of_a_protocol_are_boards_of_their_own(make_cell: Make) -> None:
    boards = boards_of(
        make_cell("a", protocols=("metric",)), make_cell("b", protocols=("metric",), data="garden", version=2)
    )
    assert sorted((board.protocol, board.version, board.labels) for board in boards) == [
        ("metric", 1, ("rooms",)),
        ("metric", 2, ("garden",)),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"random_weights": True}, "random weights"),
        ({"uses_ground_truth": True}, "uses ground truth"),
        ({"limited": True}, "limited to 5 images"),
        ({"unreadable": 2}, "2 unreadable"),
        ({"statuses": {1: "failed"}}, "1 failed"),
    ],
)
def test_what_is_not_ranked_is_last_and_says_why(make_cell: Make, changes: dict[str, object], reason: str) -> None:
    options = {"protocols": ("metric",)}
    cells = [
        make_cell("a", model="grey", quality=0.001, **options | changes),
        make_cell("b", model="b", quality=0.2, **options),
        make_cell("c", model="c", quality=0.3, **options),
    ]
    (board,) = boards_of(*cells)
    lines = grid_of(board).lines
    assert [line.name for line in lines] == ["b", "c", "grey"]
    assert lines[2].unranked == (reason,)
    assert lines[2].rank is None
    assert [entry.place for line in lines for entry in line.entries if entry] == [1, 2, None]


def test_ranks_are_averaged_over_what_the_most_models_share(make_cell: Make) -> None:
    """Four data sets; three models on three of them, one model on the fourth besides, another on one only."""
    measured = {"a": "123", "b": "123", "c": "1234", "d": "1"}
    (board,) = boards_of(
        *(
            make_cell(
                f"{model}{data}", model=model, data=data, prefix=data, quality=0.1 + 0.01 * k, protocols=("metric",)
            )
            for k, (model, sets) in enumerate(measured.items())
            for data in sets
        )
    )  # fmt: skip
    grid = grid_of(board)
    assert [board.labels[place] for place in grid.shared] == ["1", "2", "3"]
    assert [line.name for line in grid.lines if line.rank] == ["a", "b", "c"]
    assert line_of(grid, "d").rank is None
    assert line_of(grid, "d").unranked == ()


def test_of_two_cells_that_measured_the_same_the_later_one_counts(make_cell: Make) -> None:
    early, late = "2026-11-20T08:00:00+00:00", "2026-11-22T08:00:00+00:00"
    (board, _) = boards_of(
        make_cell("a", protocols=("metric", "affine_depth"), quality=0.1, finished=early),
        make_cell("b", protocols=("metric",), quality=0.1, images=5, finished=late),
    )
    (line,) = grid_of(board).lines
    assert line.row.cell.folder.name == "b"


def test_the_board_on_the_page(make_cell: Make) -> None:
    evil = "<i>a</i>"
    page = page_of(
        make_cell("a", model="seen", protocols=("metric",), data_family="nyu", card={"training_data": ["nyu"]}),
        make_cell("b", model=evil, protocols=("metric",), quality=0.2, statuses={0: "skipped"}, data=evil),
    )
    assert evil not in page.source
    assert html.escape(evil) in page.source
    (section,) = page.all("section", id="leaderboard")
    boards = [one for one in page.all("article") if one.within(section)]
    assert len(boards) == 1
    panes = [one for one in page.all("div") if one.attributes.get("class") == "pane"]
    buttons = [one for one in page.all("button") if "data-pane" in one.attributes]
    assert [one.attributes["data-pane"] for one in buttons] == [pane.attributes["id"] for pane in panes]
    assert len(panes) == 4
    first = [one for one in page.all("td") if one.within(panes[0])]
    texts = [" ".join(one.text.split()) for one in first]
    assert any("trained on this data" in text and "n 5" in text for text in texts)
    assert any("1 skipped" in text and "n 4" in text for text in texts)


def ruled(depth_range: list[float], **protocol: object) -> dict[str, object]:
    """A configuration as runs write it: the protocol names its clip by what the data variant says."""
    return {
        "model": {}, "data": {"depth_range": depth_range, "crop": [45, 471, 41, 601]}, "seed": 0,
        "protocol": {"metric": {"clip": "depth_range", **protocol}},
    }  # fmt: skip


def clipped(folder: Path, clip: list[float]) -> Path:
    """Write the resolved clip into the manifest, as a run on data of that range does."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for info in manifest["protocols"].values():
        info["clip"] = clip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_data_sets_of_other_ranges_are_columns_of_one_board(make_cell: Make) -> None:
    """NYU to 10 m and KITTI to 80 m: one rule, one rank; what differs stands in the heads."""
    cells = [
        clipped(
            make_cell(
                f"{model}-{data}", model=model, data=data, prefix=data, quality=quality, images=20,
                protocols=("metric",), config=ruled([0.001, far]),
            ),
            [0.001, far],
        )
        for model, quality in (("a", 0.1), ("b", 0.3))
        for data, far in (("nyu", 10.0), ("kitti", 80.0), ("diode", 350.0))
    ]  # fmt: skip
    (board,) = boards_of(*cells)
    assert board.labels == ("diode", "kitti", "nyu")
    assert board.distinction == ""
    assert grid_of(board).shared == (0, 1, 2)
    assert board.columns[1].facts == (
        "20 images", "0.001 to 80 m", "crop 45:471, 41:601", "3 k valid pixels"
    )  # fmt: skip
    assert grid_of(board).verdict == (
        "a ranks first, and no other model's rank comes within the noise of it. It is first on 3 of 3 data sets; too "
        "few sets to say more about others."
    )


def test_ranks_stand_in_the_terminal_and_in_a_file(make_cell: Make, tmp_path: Path) -> None:
    cells = [
        make_cell(f"{model}-{data}", model=model, data=data, prefix=data, quality=quality, images=12,
                  protocols=("metric",))
        for model, quality in (("a", 0.1), ("b", 0.3))
        for data in ("nyu", "kitti")
    ]  # fmt: skip
    boards = boards_of(*cells)
    console = Console(file=io.StringIO(), width=100)
    console.print(terminal_board(boards[0]))
    printed = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "AbsRel ↓, metric v1, all data sets" in printed
    assert "a ranks first" in printed
    write_ranks(boards, tmp_path / "ranks.csv")
    with (tmp_path / "ranks.csv").open(newline="") as file:
        lines = [one for one in csv.DictReader(file) if one["metric"] == "abs_rel"]
    assert [(one["model"], float(one["rank"]), float(one["high"])) for one in lines] == [("a", 1, 1), ("b", 2, 2)]
    assert lines[0]["data_sets"] == "kitti; nyu"


def test_boards_of_one_protocol_say_in_what_they_differ(make_cell: Make) -> None:
    boards = boards_of(
        make_cell("a", protocols=("metric",), config=ruled([0.001, 10.0], floor=0.1)),
        make_cell("b", protocols=("metric",), data="garden", config=ruled([0.001, 10.0], floor=0.5)),
    )
    assert sorted(board.distinction for board in boards) == ["floor=0.1", "floor=0.5"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": 9}, "Too few to say anything about ranks: rooms has 9 images."),
        (
            {"images": 40, "cluster": lambda i: f"scene {i % 4}"},
            "Too few to say anything about ranks: rooms has 4 scenes.",
        ),
        ({"images": 10}, "a ranks first, and no other model's rank comes within the noise of it."),
        ({"images": 40, "cluster": lambda i: f"scene {i % 5}"}, "a ranks first, and no other"),
    ],
)
def test_nothing_is_said_of_few_images_or_scenes(make_cell: Make, options: dict[str, object], said: str) -> None:
    cells = [make_cell(name, model=name, quality=quality, **options) for name, quality in (("a", 0.01), ("b", 0.9))]
    grid = grid_of(boards_of(*cells)[0])
    assert grid.verdict.startswith(said)
    assert (grid.lines[0].rank.low is None) == ("Too few" in said)


def test_other_data_sets_are_spoken_of_from_six_on(make_cell: Make) -> None:
    def board(count: int) -> Board:
        cells = [
            make_cell(
                f"{count}-{model}-{k}", model=model, data=f"set{k}", prefix=f"{k}/", quality=quality, images=12,
                protocols=("metric",),
            )
            for model, quality in (("a", 0.1), ("b", 0.9))
            for k in range(count)
        ]  # fmt: skip
        return boards_of(*cells)[0]

    assert grid_of(board(5)).verdict.endswith("first on 5 of 5 data sets; too few sets to say more about others.")
    assert grid_of(board(6)).verdict.endswith(
        "first on 6 of 6 data sets; a sign test over them shows a lead on others of the kind over b (6 of 6)."
    )


def test_zero_shot_cells_are_ranked_among_themselves(make_cell: Make) -> None:
    """The best was trained on the data, and nobody knows of another: the zero-shot board is led by the third."""
    cards = {"seen": {"training_data": ["nyu"]}, "zero": {"training_data": ["kitti"]}, "poor": {"training_data": ["x"]}}
    cells = [
        make_cell(name, model=name, quality=quality, images=20, protocols=("metric",), data_family="nyu",
                  card=cards.get(name, {}))
        for name, quality in (("seen", 0.05), ("unsaid", 0.1), ("zero", 0.3), ("poor", 0.6))
    ]  # fmt: skip
    (board,) = boards_of(*cells)
    assert [line.name for line in board.grids[0].lines] == ["seen", "unsaid", "zero", "poor"]
    grid = board.zero_shot[0]
    assert [(line.name, line.entries[0].place) for line in grid.lines] == [("zero", 1), ("poor", 2)]
    assert (grid.unknown, grid.verdict.split(" and ")[0]) == (1, "zero ranks first,")


def test_what_a_rank_leaves_out_is_said_by_name(make_cell: Make) -> None:
    cells = [
        make_cell(f"{model}{data}", model=model, data=data, prefix=data, quality=0.1 * k, protocols=("metric",))
        for k, (model, sets) in enumerate({"a": "12", "b": "123", "c": "1"}.items(), start=1)
        for data in sets
    ]
    assert grid_of(boards_of(*cells)[0]).left_out == ("c (not ranked on 2)", "3 (without a)")
