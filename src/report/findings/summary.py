"""What a reader asks first, of each board: who leads, how sure, who is fastest among equals, what is missing."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from src.report.findings.board import Board, Grid, Line
from src.report.findings.row import Row, has_network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fastest:
    """The fastest of some models on one data set and device.

    Attributes:
        name: of the row.
        speed: images per second.
        alone: whether that is the speed of the network alone; else loading and scoring are included.
        device: where.
        of: how many of the models were measured there.
    """

    name: str
    speed: float
    alone: bool
    device: str
    of: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one board says by its first metric.

    Attributes:
        board: which one, from 1.
        protocol, version, distinction: of the board.
        metric: its first one.
        best: name of the model of the best average rank; "" where nothing can be ranked.
        sets: data sets that the rank is over.
        sure: in words, whether others can be told from it.
        fastest: among it and those that cannot be told from it; None where no two speeds can be compared.
        unranked: reason -> names of the models that are nowhere ranked because of it.
        missing: (model, data sets) that ranked models were not measured or not ranked on.
    """

    board: int
    protocol: str
    version: int
    distinction: str
    metric: str
    best: str
    sets: int
    sure: str
    fastest: Fastest | None
    unranked: dict[str, tuple[str, ...]]
    missing: tuple[tuple[str, tuple[str, ...]], ...]


def answers(boards: Sequence[Board]) -> list[Answer]:
    """Sum each board up, in order."""
    return [_answer(place, board) for place, board in enumerate(boards, start=1)]


def _answer(place: int, board: Board) -> Answer:
    grid = board.grids[0]
    ranked = [line for line in grid.lines if not line.unranked]
    # one model alone has no rank and yet is what there is
    best = grid.leader or (ranked[0].name if len(ranked) == 1 else "")
    near = {best, *(grid.near or ())}
    reasons: dict[str, list[str]] = {}
    for line in grid.lines:
        for reason in line.unranked:
            reasons.setdefault(reason, []).append(line.name)
    return Answer(
        board=place,
        protocol=board.protocol,
        version=board.version,
        distinction=board.distinction,
        metric=grid.metric,
        best=best,
        sets=len(grid.shared),
        sure=_sure(grid, ranked),
        fastest=_fastest([line for line in ranked if line.name in near]),
        unranked={reason: tuple(names) for reason, names in reasons.items()},
        missing=tuple((line.name, lacking) for line in ranked if (lacking := _lacking(line, board.labels))),
    )


def _sure(grid: Grid, ranked: Sequence[Line]) -> str:
    if not ranked:
        return "nothing is ranked"
    if len(ranked) == 1:
        return "the only ranked model"
    if not grid.leader:
        return "no two models are ranked on the same data"
    if grid.near is None:
        return "too few images or scenes to say"
    others = sum(line.rank is not None for line in grid.lines) - 1
    if not grid.near:
        return f"beyond noise of all {others} others" if others > 1 else "beyond noise of the other"
    if len(grid.near) == 1:
        return f"within noise of {grid.near[0]}"
    return f"within noise of {len(grid.near)} of {others} others"


def _lacking(line: Line, labels: Sequence[str]) -> tuple[str, ...]:
    """Name the data sets on which a model is not there, or not ranked."""
    return tuple(
        label
        for label, entry in zip(labels, line.entries, strict=True)
        if entry is None or entry.row.unranked or entry.estimate.mean is None
    )


def _fastest(lines: Sequence[Line]) -> Fastest | None:
    """Compare speeds on the data set and device where the most of the models were measured; the first of equals."""
    found = Counter[tuple[int, str, int]]()
    rows: dict[tuple[int, str, int], list[Row]] = {}
    for line in lines:
        for column, entry in enumerate(line.entries):
            if entry is None or not has_network(entry.row.manifest):
                continue
            it = entry.row.manifest
            where = (column, it.device, it.world_size)
            found[where] += 1
            rows.setdefault(where, []).append(entry.row)
    if not found or max(found.values()) < 2:
        return None
    here = rows[found.most_common(1)[0][0]]
    alone = all(row.manifest.latency_median and row.manifest.batch_size for row in here)
    best = max(here, key=lambda row: _speed(row, alone=alone))
    return Fastest(
        name=best.name, speed=_speed(best, alone=alone), alone=alone, device=best.manifest.device, of=len(here)
    )


def _speed(row: Row, *, alone: bool) -> float:
    it = row.manifest
    return it.batch_size * it.world_size / it.latency_median if alone and it.latency_median else it.images_per_second
