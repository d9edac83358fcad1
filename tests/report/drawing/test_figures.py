import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from src.records.reader import read_cell
from src.report.drawing.chart import Chart, Datum, Scale, Series, draw
from src.report.drawing.cost import other_charts, pareto, speed_charts
from src.report.drawing.figures import Draw, _by_depth, _middle, depth_charts, figures, resolution_charts
from src.report.drawing.labels import Box
from src.report.findings.cells import find
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def charts_of(draw: Draw, *folders: Path) -> list[Chart]:
    found = figures(build_tables(find(folders).cells), draw, anchor="a", note="")
    return [*found.first, *found.others]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    data = [Datum(x=float(x), y=float(y), name=f"{x}/{y}") for x, y in [(1, 5), (2, 3), (3, 4), (4, 2), (4, 1), (5, 9)]]
    assert [one.name for one in pareto(data, higher_is_better=False)] == ["4/1", "5/9"]
    assert [one.name for one in pareto(data, higher_is_better=True)] == ["5/9"]
    assert [one.name for one in pareto(data, higher_is_better=False, more_is_better=False)] == ["1/5", "2/3", "4/1"]


def test_only_speeds_of_one_device_share_a_chart(make_cell: Make) -> None:
    common = {"protocols": ("metric",)}
    found = charts_of(
        speed_charts,
        make_cell("a", model="one", images_per_second=2.0, device="x", **common),
        make_cell("b", model="two", images_per_second=9.0, device="x", quality=0.3, **common),
        make_cell("c", model="three", images_per_second=5.0, device="y", **common),
        make_cell("d", model="floor", images_per_second=99.0, device="x", quality=0.01, random_weights=True, **common),
    )
    (chart,) = found
    assert chart.title == "rooms, metric version 1 · x"
    assert {line.name: line.faded for line in chart.lines} == {"one": False, "two": False, "floor": True}
    # what is not ranked beats nobody
    assert chart.summary.endswith("Beaten by no other in both: one, two.")
    fastest = max(chart.lines, key=lambda line: line.marks[0].x)
    assert fastest.name == "floor"


COSTS = {"batch_size": 4, "latency_p95": 0.5, "device": "x", "protocols": ("metric",)}


def test_what_has_no_network_has_no_speed(make_cell: Make) -> None:
    def cell(name: str, target: str, **options: object) -> Path:
        config = {"model": {"_target_": target}, "data": {}, "seed": 0}
        return make_cell(name, model=name, config=config, protocols=("metric",), **options)

    folders = [
        cell("one", "MiDaS"), cell("two", "Marigold", quality=0.2), cell("saved", "Saved", images_per_second=900.0),
        cell("ramp", "Ramp", images_per_second=900.0), cell("oracle", "Oracle", uses_ground_truth=True),
        cell("again", "MiDaS", rescored_from="abc", images_per_second=900.0, quality=0.3),
    ]  # fmt: skip
    (chart,) = charts_of(speed_charts, *folders)
    assert {line.name for line in chart.lines} == {"one", "two"}


def test_the_speed_of_the_network_counts_where_every_model_has_it(make_cell: Make) -> None:
    new = [
        make_cell("a", model="one", latency_median=0.4, images_per_second=2.0, **COSTS),
        make_cell("b", model="two", latency_median=0.1, images_per_second=1.0, quality=0.3, **COSTS),
    ]
    (chart,) = charts_of(speed_charts, *new)
    assert {line.name: line.marks[0].datum.x for line in chart.lines} == {"one": 10.0, "two": 40.0}
    assert "network alone" in chart.x_label
    assert chart.lines[0].marks[0].datum.name == "one, batch of 4"
    old = make_cell("c", model="three", images_per_second=5.0, device="x", protocols=("metric",))
    (chart,) = charts_of(speed_charts, *new, old)
    assert sorted(line.marks[0].datum.x for line in chart.lines) == [1.0, 2.0, 5.0]
    assert "loading and scoring included" in chart.x_label


def test_what_costs_less_is_better_and_device_counts_for_memory_alone(make_cell: Make) -> None:
    found = charts_of(
        other_charts,
        make_cell("a", model="one", flops=8 * 10**9, parameters=10**7, peak_memory=2**30, **COSTS),
        make_cell("b", model="two", flops=2 * 10**9, parameters=10**6, peak_memory=2**31, quality=0.3, **COSTS),
        make_cell("c", model="bad", flops=9 * 10**9, quality=0.4, peak_memory=2**29, **COSTS | {"device": "y"}),
    )
    operations, parameters, memory = found
    assert [line.marks[0].datum.x for line in operations.lines] == [8, 2, 9]
    assert operations.summary.endswith("Beaten by no other in both: one, two.")
    assert " · " not in operations.title + parameters.title
    assert {line.name for line in parameters.lines} == {"one", "two"}, "nothing is known of the third"
    assert memory.title.endswith(" · x")
    assert {line.name: line.marks[0].datum.x for line in memory.lines} == {"one": 1, "two": 2}
    assert memory.summary.endswith("Beaten by no other in both: one.")


@pytest.mark.parametrize(("front_of", "holds"), [("left", 0), ("right", 1)])
def test_between_two_values_of_the_front_the_attainable_one_holds(
    front_of: Literal["left", "right"], holds: int
) -> None:
    data = (Datum(x=1.0, y=1.0), Datum(x=2.0, y=3.0))
    series = [Series(name="a", data=(datum,)) for datum in data]
    chart = draw(
        series, anchor="a", title="t", summary="s", x_label="x", y_label="y", joined=False, front=data,
        front_of=front_of,
    )  # fmt: skip
    _, corner, _ = (tuple(map(float, corner.split())) for corner in chart.front.removeprefix("M").split("L"))
    ends = [line.marks[0] for line in chart.lines]
    assert corner == (ends[1 - holds].x, ends[holds].y)


def test_a_line_joins_cells_that_differ_in_nothing_but_the_resolution(make_cell: Make) -> None:
    folders = [
        make_cell("a", model="one", resolution="768", protocols=("metric",), quality=0.1),
        make_cell("b", model="one", resolution="384", protocols=("metric",), quality=0.2),
        make_cell("c", model="two", protocols=("metric",)),
    ]
    findings = find(folders)
    cells = []
    for cell in findings.cells:
        size = 700 if cell.manifest.resolution == "768" else 350
        scored = cell.scores["metric"]
        sized = dataclasses.replace(scored, input_size=np.full((len(scored), 2), size, dtype=np.int32))
        cells.append(dataclasses.replace(cell, scores={"metric": sized}))
    found = figures(build_tables(cells), resolution_charts, anchor="a", note="")
    ((chart,), others) = found.first, found.others
    assert (chart.title, others) == ("rooms, metric version 1", ())
    (line,) = chart.lines
    assert line.name == "one"
    assert [mark.datum.x for mark in line.marks] == [350, 700]
    assert line.marks[0].datum.y > line.marks[1].datum.y


def test_errors_by_depth_pool_the_pixels_of_each_bin(make_cell: Make) -> None:
    folder = make_cell(images=3, protocols=("metric",), statuses={2: "failed"})
    scored = read_cell(folder).scores["metric"]
    assert charts_of(depth_charts, folder) == []
    scored = dataclasses.replace(
        scored,
        depth_pixels=np.array([[10, 0, 0], [30, 5, 0], [7, 7, 7]]),
        depth_abs_rel=np.array([[0.1, np.nan, np.nan], [0.3, 0.2, np.nan], [np.nan] * 3]),
    )
    near, middle = _by_depth(scored, np.array([1.0, 4.0, 9.0, 16.0]))
    assert (near.x, near.y) == (pytest.approx(2), pytest.approx((10 * 0.1 + 30 * 0.3) / 40))
    assert near.low is not None
    assert near.low < near.y
    assert (middle.x, middle.y, middle.low) == (pytest.approx(6), pytest.approx(0.2), None)


def test_open_bins_stand_beside_their_neighbours() -> None:
    assert [_middle(*bin_) for bin_ in ((0.0, 1.0), (2.0, 8.0), (80.0, 1e6))] == [0.5, 4.0, 160.0]


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.3], [0.01, 0.9], [-2.0, 3.0], [7.1, 7.2]])
def test_an_axis_holds_its_values_between_round_ends(values: list[float]) -> None:
    scale = Scale.around(values)
    ticks = scale.ticks()
    assert all(0 <= scale.place(value) <= 1 for value in values)
    assert (scale.place(ticks[0]), scale.place(ticks[-1])) == (pytest.approx(0), pytest.approx(1))
    assert 2 <= len(ticks) <= 8


def test_names_beside_a_chart_do_not_overlap() -> None:
    series = [Series(name=str(k), data=(Datum(x=1.0, y=1.0), Datum(x=2.0, y=1.0 + k / 1000))) for k in range(6)]
    chart = draw(series, anchor="a", title="t", summary="s", x_label="x", y_label="y")
    heights = sorted(line.at.y for line in chart.lines)
    assert all(b - a > 14 for a, b in itertools.pairwise(heights))


def test_names_in_a_scatter_cover_neither_marks_nor_one_another() -> None:
    points = [(1.0, 1.0), (1.05, 1.01), (1.1, 0.99), (2.0, 1.0), (1.9, 1.02)]
    series = [Series(name=f"model number {k}", data=(Datum(x=x, y=y),)) for k, (x, y) in enumerate(points)]
    chart = draw(series, anchor="a", title="t", summary="s", x_label="x", y_label="y", joined=False)
    boxes = [line.at.box(line.text) for line in chart.lines]
    marks = [Box(mark.x - 4, mark.y - 4, mark.x + 4, mark.y + 4) for line in chart.lines for mark in line.marks]
    assert all(a.shared(b) == 0 for a, b in itertools.combinations(boxes, 2))
    assert all(box.shared(mark) == 0 for box in boxes for mark in marks)
