"""The section that says which differences between models are real: paired tests, a win matrix, a diagram of ranks."""

import dataclasses
import itertools
from typing import Literal

import numpy as np

from src.records import ranking, statistics
from src.report.findings.leaderboard import Table
from src.report.findings.paired import pair
from src.report.findings.row import Row
from src.report.findings.verdicts import listed

LEVEL = 0.05

Outcome = Literal["better", "worse", "mixed", "open"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two models on the same images, by one metric.

    Attributes:
        first, second: names of their rows.
        difference: mean of the first minus mean of the second, in the unit of the metric.
        low, high: its 95 % interval, units drawn anew for both together.
        p_mean: of no difference of means, by the same paired test, adjusted by Holm over the pairs of the table.
        p_ranks: of Wilcoxon's signed ranks over units, adjusted likewise.
        wins: share of the images on which the first is better, ties counting half.
        effect: rank-biserial correlation over units, positive where the first is better.
        images: on which both have a value.
        units: that are drawn anew.
        outcome: for the first: better or worse where both tests say so, mixed where only one does or they disagree,
            open where neither does. Where signed ranks cannot decide (`Differences.untestable`), by the means alone.
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
        bars: from and to which average rank models do not differ, by Nemenyi's test; none where Friedman's shows no
            difference at all, which Nemenyi's presupposes.
    """

    test: ranking.Friedman
    names: tuple[str, ...]
    bars: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """All pairs of one table by one metric.

    Attributes:
        table: of the leaderboard.
        metric: one of its headlines.
        names: of the ranked rows, best first.
        contests: of each ordered pair.
        unit: what is drawn anew.
        diagram: None for fewer than three models or five units.
        untestable: in words, why no pair can be significant by signed ranks, however different; "" where it can.
        verdict: in words.
    """

    table: Table
    metric: str
    names: tuple[str, ...]
    contests: dict[tuple[str, str], Contest]
    unit: str
    diagram: Diagram | None
    untestable: str
    verdict: str


def differences(tables: tuple[Table, ...]) -> tuple[Differences, ...]:
    """Compare the ranked rows of each table in pairs, by each of its headline metrics; each is a family of its own."""
    found = (_differences(table, metric) for table in tables for metric in headlines(table))
    return tuple(one for one in found if one is not None)


def headlines(table: Table) -> tuple[str, ...]:
    """Return the metrics that tables lead with: the first, and the first that runs the other way.

    Commonly an error and a share of good pixels: AbsRel and the first delta.
    """
    metrics = table.info.metrics
    first = table.metrics[0]
    other = (name for name in metrics if metrics[name].higher_is_better != metrics[first].higher_is_better)
    return (first, *itertools.islice(other, 1))


def _differences(table: Table, metric: str) -> Differences | None:
    rows = [row for row in table.ranked if row.estimates[metric].mean is not None]
    if len(rows) < 2 or not pair(rows, metric).enough:
        return None
    pairs = len(rows) * (len(rows) - 1) // 2
    higher_is_better = table.info.metrics[metric].higher_is_better
    rows.sort(key=lambda row: (row.estimates[metric].mean or 0.0) * (-1 if higher_is_better else 1))
    tested = [_tested((one, two), table, metric) for one, two in itertools.combinations(rows, 2)]
    units = pair(rows, metric).units
    what = "scenes" if units.kind == "clusters" else "images"
    untestable = _untestable(max(one.units for one in tested), pairs, what)
    contests = _adjusted(tested, by_means_alone=bool(untestable))
    return Differences(
        table=table,
        metric=metric,
        names=tuple(row.name for row in rows),
        contests={(one.first, one.second): one for both in contests for one in (both, both.turned())},
        unit=what,
        diagram=_diagram(rows, table, metric),
        untestable=untestable,
        verdict=_verdict([row.name for row in rows], contests, by_means_alone=bool(untestable)),
    )


def _untestable(units: int, pairs: int, what: str) -> str:
    """Say that no pair can be significant by signed ranks where even one that differs everywhere could not."""
    least = statistics.least_signed_rank(units)
    if least * pairs < LEVEL:
        return ""
    return (
        f"With {units} {what} the p-value of signed ranks is never below {least:.2g}, and {pairs} "
        f"pair{'s' * (pairs != 1)} make that {min(1.0, least * pairs):.2g}: it can show nothing here. Verdicts are by "
        f"the paired test of means alone (t with {units - 1} degrees of freedom)."
    )


def _tested(rows: tuple[Row, Row], table: Table, metric: str) -> Contest:
    one, two = rows
    paired = pair(rows, metric)
    both = np.isfinite(paired.values).all(axis=1)
    paired = dataclasses.replace(paired, weights=np.where(both[:, None], paired.weights, 0.0))
    sign = 1.0 if table.info.metrics[metric].higher_is_better else -1.0
    means = paired.means()
    gap = means.column(0).minus(means.column(1))
    low, high = statistics.intervals(gap, skewed=False)[:, 0]
    units = paired.unit_means()
    p_ranks, effect = statistics.signed_rank(sign * (units[:, 0] - units[:, 1]))
    better = sign * (paired.values[both, 0] - paired.values[both, 1])
    return Contest(
        first=one.name,
        second=two.name,
        difference=float(gap.values[0]),
        low=float(low),
        high=float(high),
        p_mean=float(statistics.p_values(gap)[0]),
        p_ranks=p_ranks,
        wins=float((better > 0).mean() + 0.5 * (better == 0).mean()),
        effect=effect,
        images=int(both.sum()),
        units=len(units),
        # which way; whether it holds is decided once all pairs are known
        outcome="better" if sign * gap.values[0] > 0 else "worse",
    )


def _adjusted(contests: list[Contest], *, by_means_alone: bool) -> list[Contest]:
    by_mean = statistics.holm(np.array([one.p_mean for one in contests]))
    by_ranks = statistics.holm(np.array([one.p_ranks for one in contests]))
    return [
        dataclasses.replace(
            one,
            p_mean=float(p),
            p_ranks=float(q),
            outcome=_outcome_of_means(one, float(p)) if by_means_alone else _outcome(one, float(p), float(q)),
        )
        for one, p, q in zip(contests, by_mean, by_ranks, strict=True)
    ]


def _outcome_of_means(contest: Contest, p_mean: float) -> Outcome:
    return contest.outcome if p_mean < LEVEL else "open"


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
    test = ranking.friedman(units, higher_is_better=table.info.metrics[metric].higher_is_better)
    order = np.argsort(test.average_ranks, kind="stable")
    runs = ranking.indistinct(test.average_ranks, test.critical_difference) if test.p < LEVEL else []
    return Diagram(
        test=test,
        names=tuple(rows[k].name for k in order),
        bars=tuple((float(test.average_ranks[run[0]]), float(test.average_ranks[run[-1]])) for run in runs),
    )


def _verdict(names: list[str], contests: list[Contest], *, by_means_alone: bool) -> str:
    behind = {one.second: one.outcome for one in contests if one.first == names[0]}
    open_ = [name for name, outcome in behind.items() if outcome != "better"]
    settled = sum(one.outcome in ("better", "worse") for one in contests)
    by = "the test of means" if by_means_alone else "both tests"
    shown = f"{settled} of {len(contests)} differences are shown by {by}."
    if not open_:
        return f"{names[0]} is better than every other model by {by}. {shown}"
    return f"{names[0]} has the best mean, but is not shown to be better than {listed(open_)}: within noise. {shown}"
