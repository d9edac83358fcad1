"""How sure a rank is: pure functions of means with their spread, and tests over blocks.

Sources: Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006 (Friedman, Nemenyi,
diagrams, sign test over data sets); Klein, Wright & Wieczorek, "A joint confidence region for an overall ranking of
populations", Journal of the Royal Statistical Society C 69, 2020 (a rank is bounded by what is shown to be better and
to be worse).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float, Float64

from src.records.statistics import Means, p_values


def ranks(means: Float[np.ndarray, "*rows m"], *, higher_is_better: bool) -> Float64[np.ndarray, "*rows m"]:
    """Rank the last axis, 1 for the best; equal ones share the mean of their places.

    >>> ranks(np.array([0.2, 0.1, 0.2]), higher_is_better=False).tolist()
    [2.5, 1.0, 2.5]
    """
    ranked: Float64[np.ndarray, "*rows m"] = scipy.stats.rankdata(-means if higher_is_better else means, axis=-1)
    return ranked


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RankBounds:
    """Average ranks of m models over some data sets, and how far they may be off.

    Attributes:
        average: (m,) of the observed ranks, 1 is best.
        low, high: (m,) each holds the average of the true ranks over these data sets in 95 % of all draws of their
            units, whatever the true means, ties included.
    """

    average: Float64[np.ndarray, " m"]
    low: Float64[np.ndarray, " m"]
    high: Float64[np.ndarray, " m"]


def rank_bounds(columns: Sequence[Means], *, higher_is_better: bool, level: float = 0.95) -> RankBounds:
    """Bound the average ranks of m models over D data sets.

    On each data set a model's true rank is at least one more than the models that are shown to be better, and at most m
    less those that are shown to be worse. A pair is tested on the same units at (1 - level) / (D (m - 1)), so that all
    comparisons of a model hold together (Bonferroni).

    Args:
        columns: of each data set, the means of the m models over the same units.
        higher_is_better: of the metric.
        level: of each interval.
    """
    sign = -1.0 if higher_is_better else 1.0
    m = len(columns[0].values)
    threshold = (1 - level) / (len(columns) * max(m - 1, 1))
    observed, low, high = (np.zeros((len(columns), m)) for _ in range(3))
    for row, means in enumerate(columns):
        observed[row] = ranks(means.values, higher_is_better=higher_is_better)
        beaten = np.zeros((m, m), bool)  # first is shown to be better than second
        for i in range(m):
            for j in range(i + 1, m):
                gap = means.column(i).minus(means.column(j))
                if p_values(gap)[0] < threshold:
                    better, worse = (i, j) if sign * gap.values[0] < 0 else (j, i)
                    beaten[better, worse] = True
        low[row], high[row] = 1 + beaten.sum(axis=0), m - beaten.sum(axis=1)
    return RankBounds(average=observed.mean(axis=0), low=low.mean(axis=0), high=high.mean(axis=0))


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p-value of "as likely to win as to lose"; ties are left out.

    >>> sign_test(6, 0), sign_test(5, 0)
    (0.03125, 0.0625)
    """
    n = wins + losses
    return 1.0 if n == 0 else float(scipy.stats.binomtest(wins, n).pvalue)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Friedman:
    """Whether m models differ at all over n blocks, and how far their average ranks must lie apart.

    Attributes:
        average_ranks: (m,) over the blocks, 1 is best.
        statistic: Friedman's chi-square with m - 1 degrees of freedom, corrected for ties.
        p: of it.
        critical_difference: Nemenyi's, at 5 %.
        blocks: n.
    """

    average_ranks: Float64[np.ndarray, " m"]
    statistic: float
    p: float
    critical_difference: float
    blocks: int


def friedman(values: Float64[np.ndarray, "n m"], *, higher_is_better: bool) -> Friedman:
    """Compare m models over n blocks by their ranks within each (Demšar 2006, section 3.2.2).

    Args:
        values: (n, m) finite, at least two of each.
        higher_is_better: of the metric.

    Returns:
        Models that are the same everywhere have statistic 0 and p 1.
    """
    blocks, models = values.shape
    ranked = ranks(values, higher_is_better=higher_is_better)
    average = ranked.mean(axis=0)
    spread = ((ranked - (models + 1) / 2) ** 2).sum()  # m (m^2 - 1) n / 12 without ties
    statistic = 0.0 if spread == 0 else blocks**2 * (models - 1) * ((average - (models + 1) / 2) ** 2).sum() / spread
    studentized = float(scipy.stats.studentized_range.ppf(0.95, models, np.inf))
    return Friedman(
        average_ranks=average,
        statistic=float(statistic),
        p=float(scipy.stats.chi2.sf(statistic, models - 1)),
        critical_difference=studentized / np.sqrt(2) * float(np.sqrt(models * (models + 1) / (6 * blocks))),
        blocks=blocks,
    )


def indistinct(average_ranks: Float64[np.ndarray, " m"], critical_difference: float) -> list[tuple[int, ...]]:
    """Return the largest runs of models whose average ranks lie within the critical difference, best first.

    These are the bars of a critical-difference diagram; a run of one is none.

    >>> indistinct(np.array([3.5, 1.0, 1.8, 2.6]), 1.7)
    [(1, 2, 3), (2, 3, 0)]
    """
    order = [int(place) for place in np.argsort(average_ranks, kind="stable")]
    sorted_ranks = average_ranks[order]
    runs: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = int(np.searchsorted(sorted_ranks, sorted_ranks[start] + critical_difference, side="right"))
        if end - start > 1 and (not runs or end > runs[-1][1]):
            runs.append((start, end))
    return [tuple(order[start:end]) for start, end in runs]
