"""The section that comes first: models against data sets, one board for each way to score."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from src.records.aggregate import Estimate
from src.records.schema import MetricInfo
from src.report.findings.apart import differing
from src.report.findings.leaderboard import Table
from src.report.findings.row import Row
from src.report.findings.verdicts import AverageRank, average_ranks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one model scored on one data set.

    Attributes:
        row: where it is from.
        estimate: of the metric.
        place: 1 for the best of the ranked ones and 2 for the next, equal ones sharing the better; None if not ranked.
    """

    row: Row
    estimate: Estimate
    place: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One model on all data sets.

    Attributes:
        name: of the row.
        row: any of its rows, for what they have in common.
        entries: one for each column, None where it was not measured.
        rank: over the shared columns; None for a model that was not ranked on all of them.
        unranked: the reasons why it is ranked nowhere; empty if it is anywhere.
    """

    name: str
    row: Row
    entries: tuple[Entry | None, ...]
    rank: AverageRank | None
    unranked: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All models on all data sets by one metric.

    Attributes:
        metric: its name.
        info: its unit and direction.
        lines: the best average rank first, models without one after those with, grey ones last.
        shared: places of the columns that ranks are averaged over.
        verdict: in words, which of the first places mean anything.
        left_out: in words, each model and data set that the ranks leave out.
        leader: name of the model of the best average rank; "" where nothing is ranked.
        near: names that cannot be told from it; None where too little is known to say.
        unknown: cells that are not shown since no card says whether the model was trained on the data; 0 where all
            cells are shown.
    """

    metric: str
    info: MetricInfo
    lines: tuple[Line, ...]
    shared: tuple[int, ...]
    verdict: str
    left_out: tuple[str, ...]
    leader: str
    near: tuple[str, ...] | None
    unknown: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that was scored in one way.

    Attributes:
        protocol: its name.
        version: of the protocol.
        columns: one table each, so that no column holds what must not be compared.
        labels: names of the columns.
        distinction: what sets the board apart from others of the protocol, in words; "" where there is none.
        grids: one for each metric, in the order of the protocol.
        zero_shot: the same of the cells alone whose model is known not to have been trained on their data.
    """

    protocol: str
    version: int
    columns: tuple[Table, ...]
    labels: tuple[str, ...]
    distinction: str
    grids: tuple[Grid, ...]
    zero_shot: tuple[Grid, ...]


def build_boards(tables: Iterable[Table]) -> tuple[Board, ...]:
    """Sort tables into boards: one for each protocol in one version with one rule, widest first.

    A clip to the depth range is one rule, however many metres it is on each data set.
    """
    groups: dict[tuple[str, int, str], list[Table]] = {}
    for table in tables:
        key = table.key
        groups.setdefault((key.protocol, key.version, key.rule), []).append(table)
    boards = [_board(tuple(columns), list(groups)) for columns in groups.values()]
    return tuple(sorted(boards, key=lambda board: -sum(len(table.ranked) for table in board.columns)))


def _board(columns: tuple[Table, ...], rules: Sequence[tuple[str, int, str]]) -> Board:
    key, metrics = columns[0].key, columns[0].info.metrics
    lines = rows_by_name(columns)
    unseen = {
        name: tuple(row if row and row.domain == "zero-shot" else None for row in members)
        for name, members in lines.items()
    }
    unknown = sum(bool(row and row.domain == "unknown") for members in lines.values() for row in members)
    labels = tuple(table.title for table in columns)
    same_version = [rule for protocol, version, rule in rules if (protocol, version) == (key.protocol, key.version)]
    return Board(
        protocol=key.protocol,
        version=key.version,
        columns=columns,
        labels=labels,
        distinction=differing(key.rule, same_version) if len(same_version) > 1 else "",
        grids=tuple(_grid(metric, info, labels, lines, 0) for metric, info in metrics.items()),
        zero_shot=tuple(
            _grid(metric, info, labels, {name: own for name, own in unseen.items() if any(own)}, unknown)
            for metric, info in metrics.items()
        ),
    )


def rows_by_name(columns: Sequence[Table]) -> dict[str, tuple[Row | None, ...]]:
    """For each model, its row in each column; of several the one that is ranked, or the first."""
    places = [{row.name: row for row in reversed(table.rows)} for table in columns]  # ranked ones come first
    names = dict.fromkeys(row.name for table in columns for row in table.rows)
    return {name: tuple(place.get(name) for place in places) for name in names}


def _grid(
    metric: str, info: MetricInfo, labels: Sequence[str], rows: Mapping[str, tuple[Row | None, ...]], unknown: int
) -> Grid:
    standing = average_ranks(metric, info, rows, labels)
    by_name = standing.ranks
    places = [_places([members[k] for members in rows.values()], metric, info) for k in range(len(labels))]
    lines = [_line(name, metric, members, places, by_name.get(name)) for name, members in rows.items()]

    def place(line: Line) -> tuple[bool, bool, float, int]:
        found = [entry.place for entry in line.entries if entry is not None and entry.place is not None]
        return (
            bool(line.unranked),
            line.rank is None,
            np.inf if line.rank is None else line.rank.mean,
            min(found, default=0),
        )

    return Grid(
        metric=metric,
        info=info,
        lines=tuple(sorted(lines, key=place)),
        shared=standing.shared,
        verdict=standing.verdict,
        left_out=standing.left_out,
        leader=standing.leader,
        near=standing.near,
        unknown=unknown,
    )


def _line(
    name: str,
    metric: str,
    members: Sequence[Row | None],
    places: Sequence[Mapping[str, int]],
    rank: AverageRank | None,
) -> Line:
    known = [row for row in members if row is not None]
    ranked_somewhere = any(not row.unranked for row in known)
    entries = tuple(
        None
        if row is None
        else Entry(row=row, estimate=row.estimates[metric], place=None if row.unranked else column.get(name))
        for row, column in zip(members, places, strict=True)
    )
    reasons = dict.fromkeys(reason for row in known for reason in row.unranked)
    return Line(
        name=name, row=known[0], entries=entries, rank=rank, unranked=() if ranked_somewhere else tuple(reasons)
    )


def _places(rows: Sequence[Row | None], metric: str, info: MetricInfo) -> dict[str, int]:
    """Return the place of each ranked row of a column: one more than there are better ones."""
    known = [
        (row.name, mean)
        for row in rows
        if row is not None and not row.unranked and (mean := row.estimates[metric].mean) is not None
    ]
    sign = -1 if info.higher_is_better else 1
    return {name: 1 + sum(sign * other < sign * mean for _, other in known) for name, mean in known}
