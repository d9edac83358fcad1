"""Which ranks mean anything: over these data sets, and over others of the kind."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from src.records.ranking import RankBounds, rank_bounds, ranks, sign_test
from src.records.schema import MetricInfo
from src.records.statistics import holm
from src.report.findings.paired import Paired, pair
from src.report.findings.row import Row

LEVEL = 0.05
LEAST_SETS = 6
"""With fewer data sets no sign test over them can come below 5 %: 2 / 2^5 = 6 %."""

Lines = Mapping[str, tuple[Row | None, ...]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AverageRank:
    """A mean of ranks over data sets, with the 95 % interval of that over the same sets with other images of the kind.

    `low` and `high` are None where a data set has too few images or clusters.
    """

    mean: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Average ranks over some data sets.

    Attributes:
        shared: places of the columns that they are over.
        ranks: by name; only models that were ranked on all of those.
        verdict: in words, which of the first places mean anything; "" where nothing is ranked.
        left_out: in words, each model and data set that the ranks leave out.
        leader: name of the model of the best average rank; "" where nothing is ranked.
        near: names whose interval reaches that of the leader; None where too little is known to say.
    """

    shared: tuple[int, ...]
    ranks: Mapping[str, AverageRank]
    verdict: str
    left_out: tuple[str, ...]
    leader: str = ""
    near: tuple[str, ...] | None = None


def average_ranks(metric: str, info: MetricInfo, rows: Lines, labels: Sequence[str]) -> Standing:
    """Average the ranks of models over the data sets that the most of them share.

    Args:
        metric: to rank by.
        info: its direction.
        rows: of each model, one for each data set or None.
        labels: of the data sets.
    """
    shared, names = _shared(metric, rows)
    if not names:
        return Standing(shared=(), ranks={}, verdict="", left_out=())
    members = [[row for name in names if (row := rows[name][column]) is not None] for column in shared]
    paired = [pair(column, metric) for column in members]
    bounds = rank_bounds([one.means() for one in paired], higher_is_better=info.higher_is_better)
    # as shown: from each model's own images, which differ where a metric is undefined
    observed = np.array([[row.estimates[metric].mean for row in column] for column in members], dtype=np.float64)
    places = ranks(observed, higher_is_better=info.higher_is_better)
    average = places.mean(axis=0)
    few = [_size(labels[column], one) for column, one in zip(shared, paired, strict=True) if not one.enough]
    near = _near(names, average, bounds)
    if few:
        verdict = f"Too few to say anything about ranks: {', '.join(few)}."
    else:
        verdict = f"{_here(names, average, near)} {_elsewhere(names, places, average)}".strip()
    return Standing(
        shared=shared,
        ranks={
            name: AverageRank(
                mean=float(average[k]),
                low=None if few else float(min(bounds.low[k], average[k])),
                high=None if few else float(max(bounds.high[k], average[k])),
            )
            for k, name in enumerate(names)
        },
        verdict=verdict,
        left_out=_left_out(metric, rows, shared, names, labels),
        leader=names[int(average.argmin())],
        near=None if few else tuple(near),
    )


def ranked_on(metric: str, members: Sequence[Row | None]) -> frozenset[int]:
    """Return the places of the columns on which a model is ranked."""
    return frozenset(
        k for k, row in enumerate(members) if row and not row.unranked and row.estimates[metric].mean is not None
    )


def _size(label: str, one: Paired) -> str:
    count = one.units.count
    what = "scene" if one.units.kind == "clusters" else "image"
    return f"{label} has {count} {what}{'s' * (count != 1)}"


def _shared(metric: str, rows: Lines) -> tuple[tuple[int, ...], list[str]]:
    """Choose the columns to average ranks over, and the models that are ranked on all of them.

    A rank among other competitors, or on other data, means something else. So of all sets of columns that some model
    was ranked on, take the one with the most models times columns.
    """
    ranked = {name: ranked_on(metric, members) for name, members in rows.items()}

    def holders(columns: frozenset[int]) -> list[str]:
        return [name for name, own in ranked.items() if columns <= own]

    candidates = [columns for columns in dict.fromkeys(ranked.values()) if columns and len(holders(columns)) > 1]
    if not candidates:
        return (), []
    chosen = max(candidates, key=lambda columns: (len(columns) * len(holders(columns)), len(columns)))
    return tuple(sorted(chosen)), holders(chosen)


def _left_out(
    metric: str, rows: Lines, shared: Sequence[int], names: Sequence[str], labels: Sequence[str]
) -> tuple[str, ...]:
    """Say of each model that is ranked somewhere, and each data set, why the average rank leaves it out."""
    said = []
    for name, members in rows.items():
        own = ranked_on(metric, members)
        if own and name not in names:
            said.append(f"{name} (not ranked on {', '.join(labels[k] for k in shared if k not in own)})")
    everywhere = {k for members in rows.values() for k in ranked_on(metric, members)}
    for k in sorted(everywhere - set(shared)):
        missing = [name for name in names if k not in ranked_on(metric, rows[name])]
        said.append(f"{labels[k]} (without {', '.join(missing)})")
    return tuple(said)


def _near(names: Sequence[str], average: np.ndarray, bounds: RankBounds) -> list[str]:
    """Return who cannot be told from the first."""
    leader = int(average.argmin())
    return [name for k, name in enumerate(names) if k != leader and bounds.low[k] <= bounds.high[leader]]


def _here(names: Sequence[str], average: np.ndarray, near: Sequence[str]) -> str:
    """Say whether the first rank over these data sets may be one of chance."""
    leader = int(average.argmin())
    if not near:
        return f"{names[leader]} ranks first, and no other model's rank comes within the noise of it."
    if len(near) == len(names) - 1:
        return f"Ranks are within noise: {names[leader]} comes first, but cannot be told from {listed(near)}."
    return f"{names[leader]} comes first, but cannot be told from {listed(near)}: these ranks are within noise."


def _elsewhere(names: Sequence[str], places: np.ndarray, average: np.ndarray) -> str:
    """Say what these data sets tell about others: a sign test over them, from six on."""
    sets = len(places)
    leader = int(average.argmin())
    first = int((places[:, leader] == places.min(axis=1)).sum())
    if sets == 1:
        return ""
    begin = f"It is first on {first} of {sets} data sets"
    if sets < LEAST_SETS:
        return f"{begin}; too few sets to say more about others."
    others = [k for k in range(len(names)) if k != leader]
    wins = [int((places[:, leader] < places[:, k]).sum()) for k in others]
    losses = [int((places[:, leader] > places[:, k]).sum()) for k in others]
    p = holm(np.array([sign_test(won, lost) for won, lost in zip(wins, losses, strict=True)]))
    shown = [f"{names[k]} ({won} of {sets})" for k, won, one in zip(others, wins, p, strict=True) if one < LEVEL]
    if not shown:
        return f"{begin}; a sign test over them shows no lead on others of the kind."
    return f"{begin}; a sign test over them shows a lead on others of the kind over {listed(shown)}."


def listed(names: Sequence[str]) -> str:
    """Write names as a sentence does.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
