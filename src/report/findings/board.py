"""The section that comes first: models against data sets, one board for each way to score."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from src.records.aggregate import Estimate
from src.records.schema import MetricInfo
from src.records.statistics import RESAMPLES, percentile_interval, ranks, resampled_average_ranks
from src.report.findings.leaderboard import Row, Table
from src.report.findings.paired import pair


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
class AverageRank:
    """A mean of ranks over data sets, with its 95 % interval over other data sets and images of the kind."""

    mean: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Average ranks over some data sets.

    Attributes:
        shared: places of the columns that they are over.
        ranks: by name; only models that were ranked on all of those.
        verdict: in words, which of the first places mean anything; "" where nothing is ranked.
    """

    shared: tuple[int, ...]
    ranks: Mapping[str, AverageRank]
    verdict: str


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
    """

    metric: str
    info: MetricInfo
    lines: tuple[Line, ...]
    shared: tuple[int, ...]
    verdict: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that was scored in one way.

    Attributes:
        protocol: its name.
        version: of the protocol.
        columns: one table each, so that no column holds what must not be compared.
        labels: names of the columns.
        grids: one for each metric, in the order of the protocol.
    """

    protocol: str
    version: int
    columns: tuple[Table, ...]
    labels: tuple[str, ...]
    grids: tuple[Grid, ...]


def build_boards(tables: Iterable[Table]) -> tuple[Board, ...]:
    """Sort tables into boards: one for each protocol in one version with one set of settings, widest first."""
    groups: dict[tuple[str, int, str], list[Table]] = {}
    for table in tables:
        key = table.key
        groups.setdefault((key.protocol, key.version, key.protocol_settings), []).append(table)
    boards = [_board(tuple(columns)) for columns in groups.values()]
    return tuple(sorted(boards, key=lambda board: -sum(len(table.ranked) for table in board.columns)))


def _board(columns: tuple[Table, ...]) -> Board:
    key, metrics = columns[0].key, columns[0].info.metrics
    lines = rows_by_name(columns)
    return Board(
        protocol=key.protocol,
        version=key.version,
        columns=columns,
        labels=tuple(table.title for table in columns),
        grids=tuple(_grid(metric, info, columns, lines) for metric, info in metrics.items()),
    )


def rows_by_name(columns: Sequence[Table]) -> dict[str, tuple[Row | None, ...]]:
    """For each model, its row in each column; of several the one that is ranked, or the first."""
    places = [{row.name: row for row in reversed(table.rows)} for table in columns]  # ranked ones come first
    names = dict.fromkeys(row.name for table in columns for row in table.rows)
    return {name: tuple(place.get(name) for place in places) for name in names}


def _grid(metric: str, info: MetricInfo, columns: Sequence[Table], rows: Mapping[str, tuple[Row | None, ...]]) -> Grid:
    standing = average_ranks(metric, info, rows)
    by_name = standing.ranks
    places = [_places(table, metric) for table in columns]
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
    )


def average_ranks(metric: str, info: MetricInfo, rows: Mapping[str, tuple[Row | None, ...]]) -> Standing:
    """Average the ranks of models over the data sets that the most of them share.

    Args:
        metric: to rank by.
        info: its direction.
        rows: of each model, one for each data set or None.
    """
    shared, names = _shared(metric, rows)
    average, distribution = _average_ranks(metric, info, shared, [rows[name] for name in names])
    low, high = percentile_interval(distribution)
    return Standing(
        shared=shared,
        ranks={
            name: AverageRank(mean=float(average[k]), low=float(low[k]), high=float(high[k]))
            for k, name in enumerate(names)
        },
        verdict=_verdict(names, average, distribution),
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


def _places(table: Table, metric: str) -> dict[str, int]:
    """Return the place of each ranked row: one more than there are better ones."""
    known = [(row.name, mean) for row in table.ranked if (mean := row.estimates[metric].mean) is not None]
    sign = -1 if table.info.metrics[metric].higher_is_better else 1
    return {name: 1 + sum(sign * other < sign * mean for _, other in known) for name, mean in known}


def _shared(metric: str, rows: Mapping[str, tuple[Row | None, ...]]) -> tuple[tuple[int, ...], list[str]]:
    """Choose the columns to average ranks over, and the models that are ranked on all of them.

    A rank among other competitors, or on other data, means something else. So of all sets of columns that some model
    was ranked on, take the one with the most models times columns.
    """
    ranked = {
        name: frozenset(
            k for k, row in enumerate(members) if row and not row.unranked and row.estimates[metric].mean is not None
        )
        for name, members in rows.items()
    }

    def holders(columns: frozenset[int]) -> list[str]:
        return [name for name, own in ranked.items() if columns <= own]

    candidates = [columns for columns in dict.fromkeys(ranked.values()) if columns and len(holders(columns)) > 1]
    if not candidates:
        return (), []
    chosen = max(candidates, key=lambda columns: (len(columns) * len(holders(columns)), len(columns)))
    return tuple(sorted(chosen)), holders(chosen)


def _average_ranks(
    metric: str, info: MetricInfo, shared: Sequence[int], rows: Sequence[tuple[Row | None, ...]]
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, "b m"]]:
    if not rows:
        return np.zeros(0), np.zeros((RESAMPLES, 0))
    observed, drawn = [], []
    for column in shared:
        members = [row for one in rows if (row := one[column]) is not None]
        # as shown: from each model's own images, which differ where a metric is undefined
        observed.append([row.estimates[metric].mean for row in members])
        drawn.append(pair(members, metric).resampled(resamples=RESAMPLES, seed=column))
    average = ranks(np.array(observed, dtype=np.float64), higher_is_better=info.higher_is_better).mean(axis=0)
    return average, resampled_average_ranks(drawn, higher_is_better=info.higher_is_better)


def _verdict(names: Sequence[str], average: Float64[np.ndarray, " m"], distribution: Float64[np.ndarray, "b m"]) -> str:
    if not names:
        return ""
    leader = int(average.argmin())
    gaps = distribution - distribution[:, [leader]]
    near = [
        name
        for k, name in enumerate(names)
        if k != leader and np.quantile(gaps[:, k], 0.025) <= 0  # its rank may well be as good
    ]
    if not near:
        return f"{names[leader]} ranks first, and no other model's rank comes within the noise of it."
    listed = near[0] if len(near) == 1 else f"{', '.join(near[:-1])} and {near[-1]}"
    if len(near) == len(names) - 1:
        return f"Ranks are within noise: {names[leader]} comes first, but cannot be told from {listed}."
    return f"{names[leader]} comes first, but cannot be told from {listed}: these ranks are within noise."
