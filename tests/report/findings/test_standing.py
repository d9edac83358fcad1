from collections.abc import Callable
from pathlib import Path

from src.records.reader import read_cell
from src.records.schema import MetricInfo
from src.report.findings.leaderboard import build_tables
from src.report.findings.standing import Standing, standings

Make = Callable[..., Path]


def standings_of(folder: Path) -> dict[int, Standing]:
    (table,) = build_tables([read_cell(folder)])
    return standings(table.rows[0], range(6))


def test_ranks_follow_the_first_metric_and_failures_are_worst(make_cell: Make) -> None:
    folder = make_cell(images=6, protocols=("metric",), statuses={2: "failed", 4: "skipped"})
    found = standings_of(folder)
    errors = read_cell(folder).scores["metric"].errors["abs_rel"]
    order = sorted((0, 1, 3, 5), key=lambda index: errors[index])
    assert [found[index].rank for index in order] == [1, 2, 3, 4]
    assert (found[2].rank, found[2].label) == (5, "worst of 5")
    assert (found[4].rank, found[4].label) == (None, "")
    assert found[order[0]].label == "best of 5"
    assert found[order[1]].label == "rank 2 of 5"
    assert found[order[2]].off_centre == 0


def test_higher_may_be_better(make_cell: Make) -> None:
    metrics = {"delta1": MetricInfo(unit="fraction", higher_is_better=True)}
    folder = make_cell(images=4, protocols=("metric",), metrics=metrics)
    found = standings_of(folder)
    best = max(found.values(), key=lambda standing: standing.value or 0)
    assert best.label == "best of 4"


def test_a_single_image_is_neither_best_nor_worst(make_cell: Make) -> None:
    assert standings_of(make_cell(images=1, protocols=("metric",)))[0].label == ""
