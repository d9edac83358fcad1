"""The section that says which differences between models are real: paired tests, a win matrix, a diagram of ranks."""

import dataclasses
import itertools
from typing import Literal

import numpy as np
from jaxtyping import Float64

from src.records import statistics
from src.report.findings.leaderboard import Row, Table
from src.report.findings.paired import pair

LEVEL = 0.05
_LEAST_RESAMPLES = 10_000
_MOST_RESAMPLES = 100_000

Outcome = Literal["better", "worse", "mixed", "open"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two models on the same images, by one metric.

    Attributes:
        first, second: names of their rows.
        difference: mean of the first minus mean of the second, in the unit of the metric.
        low, high: its 95 % interval, units drawn anew for both together.
        p_mean: of no difference of means, from the same draws, adjusted by Holm over the pairs of the table.
        p_ranks: of Wilcoxon's signed ranks over units, adjusted likewise.
        wins: share of the images on which the first is better, ties counting half.
        effect: rank-biserial correlation over units, positive where the first is better.
        images: on which both have a value.
        units: that are drawn anew.
        outcome: for the first: better or worse where both tests say so, mixed where only one does or they disagree,
            open where neither does.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_mean: float
    p_ranks: float
    wins: float
    effect: float
    images: int
    units: int
    outcome: Outcome

    def turned(self) -> "Contest":
        """Return the same from the other side."""
        opposite: dict[Outcome, Outcome] = {"better": "worse", "worse": "better", "mixed": "mixed", "open": "open"}
        return dataclasses.replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            wins=1 - self.wins,
            effect=-self.effect,
            outcome=opposite[self.outcome],
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """A critical-difference diagram.

    Attributes:
        test: Friedman's, over units.
        names: in the order of its ranks.
        bars: from and to which average rank models do not differ, by Nemenyi's test.
    """

    test: statistics.Friedman
    names: tuple[str, ...]
    bars: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """All pairs of one table.

    Attributes:
        table: of the leaderboard.
        metric: its first.
        names: of the ranked rows, best first.
        contests: of each ordered pair.
        unit: what is drawn anew.
        diagram: None for fewer than three models or five units.
        resamples: draws.
        verdict: in words.
    """

    table: Table
    metric: str
    names: tuple[str, ...]
    contests: dict[tuple[str, str], Contest]
    unit: str
    diagram: Diagram | None
    resamples: int
    verdict: str


def differences(tables: tuple[Table, ...]) -> tuple[Differences, ...]:
    """Compare the ranked rows of each table in pairs, by its first metric."""
    return tuple(found for table in tables if (found := _differences(table)) is not None)


def _differences(table: Table) -> Differences | None:
    metric = table.metrics[0]
    rows = [row for row in table.ranked if row.estimates[metric].mean is not None]
    if len(rows) < 2 or pair(rows[:1], metric).units.count < 2:
        return None
    pairs = len(rows) * (len(rows) - 1) // 2
    # the smallest p-value, 2 / draws, must stay small when Holm multiplies it by the number of pairs
    resamples = min(max(_LEAST_RESAMPLES, 200 * pairs), _MOST_RESAMPLES)
    # drawn once for all where every image has a value under every model, and pair by pair where not
    everyone = pair(rows, metric)
    drawn = everyone.resampled(resamples=resamples) if np.isfinite(everyone.values).all() else None
    tested = [
        _tested((rows[i], rows[j]), table, metric, resamples, None if drawn is None else drawn[:, i] - drawn[:, j])
        for i, j in itertools.combinations(range(len(rows)), 2)
    ]
    contests = _adjusted(tested)
    return Differences(
        table=table,
        metric=metric,
        names=tuple(row.name for row in rows),
        contests={(one.first, one.second): one for both in contests for one in (both, both.turned())},
        unit=pair(rows[:1], metric).units.kind,
        diagram=_diagram(rows, table, metric),
        resamples=resamples,
        verdict=_verdict([row.name for row in rows], contests),
    )


def _tested(
    rows: tuple[Row, Row], table: Table, metric: str, resamples: int, gaps: Float64[np.ndarray, " b"] | None
) -> Contest:
    one, two = rows
    paired = pair(rows, metric)
    both = np.isfinite(paired.values).all(axis=1)
    paired = dataclasses.replace(paired, weights=np.where(both[:, None], paired.weights, 0.0))
    sign = 1.0 if table.info.metrics[metric].higher_is_better else -1.0
    if gaps is None:
        drawn = paired.resampled(resamples=resamples)
        gaps = drawn[:, 0] - drawn[:, 1]
    low, high = statistics.percentile_interval(gaps[:, None])[:, 0]
    sums, totals = statistics.unit_sums(paired.values, paired.weights, paired.units)
    means = sums.sum(axis=0) / totals.sum(axis=0)
    units = paired.unit_means()
    p_ranks, effect = statistics.signed_rank(sign * (units[:, 0] - units[:, 1]))
    better = sign * (paired.values[both, 0] - paired.values[both, 1])
    return Contest(
        first=one.name,
        second=two.name,
        difference=float(means[0] - means[1]),
        low=float(low),
        high=float(high),
        p_mean=statistics.resampled_p(gaps[np.isfinite(gaps)]),
        p_ranks=p_ranks,
        wins=float((better > 0).mean() + 0.5 * (better == 0).mean()),
        effect=effect,
        images=int(both.sum()),
        units=len(units),
        # which way; whether it holds is decided once all pairs are known
        outcome="better" if sign * (means[0] - means[1]) > 0 else "worse",
    )


def _adjusted(contests: list[Contest]) -> list[Contest]:
    by_mean = statistics.holm(np.array([one.p_mean for one in contests]))
    by_ranks = statistics.holm(np.array([one.p_ranks for one in contests]))
    return [
        dataclasses.replace(one, p_mean=float(p), p_ranks=float(q), outcome=_outcome(one, float(p), float(q)))
        for one, p, q in zip(contests, by_mean, by_ranks, strict=True)
    ]


def _outcome(contest: Contest, p_mean: float, p_ranks: float) -> Outcome:
    significant = (p_mean < LEVEL) + (p_ranks < LEVEL)
    if not significant:
        return "open"
    agree = (contest.effect > 0) == (contest.outcome == "better")
    return contest.outcome if significant == 2 and agree else "mixed"


def _diagram(rows: list[Row], table: Table, metric: str) -> Diagram | None:
    units = pair(rows, metric).unit_means()
    if len(rows) < 3 or len(units) < 5:
        return None
    test = statistics.friedman(units, higher_is_better=table.info.metrics[metric].higher_is_better)
    order = np.argsort(test.average_ranks, kind="stable")
    runs = statistics.indistinct(test.average_ranks, test.critical_difference)
    return Diagram(
        test=test,
        names=tuple(rows[k].name for k in order),
        bars=tuple((float(test.average_ranks[run[0]]), float(test.average_ranks[run[-1]])) for run in runs),
    )


def _verdict(names: list[str], contests: list[Contest]) -> str:
    behind = {one.second: one.outcome for one in contests if one.first == names[0]}
    open_ = [name for name, outcome in behind.items() if outcome != "better"]
    settled = sum(one.outcome in ("better", "worse") for one in contests)
    shown = f"{settled} of {len(contests)} differences are shown by both tests."
    if not open_:
        return f"{names[0]} is better than every other model by both tests. {shown}"
    listed = open_[0] if len(open_) == 1 else f"{', '.join(open_[:-1])} and {open_[-1]}"
    return f"{names[0]} has the best mean, but is not shown to be better than {listed}: within noise. {shown}"
