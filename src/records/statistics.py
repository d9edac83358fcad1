"""How sure a mean and a difference are: pure functions of arrays, one line per image.

The images of one scene resemble one another, so that a thousand frames of thirty drives say less than a thousand drives
would. What is drawn anew is therefore the *unit*: the cluster of images that a data set names, or the image where it
names none (`units_of`). Every mean is a ratio of two sums over units; what a unit adds to it, to first order, is its
*part* (`linearised`), and everything below follows from the parts: they are the same for a million images as for ten.

Intervals are studentised, with Student's quantiles of n - 1. Those of a mean are corrected for skewness by Hall's
transformation: what a bootstrap of t-values (Efron & Tibshirani 1993, section 12.5) gives to the same order, and, for
errors that are normal, exponential or log-normal, in simulation too, but without any draw: no end moves with a seed.
Differences of two models on the same units are not: of equal models they are symmetric, however skewed their errors,
and to correct what skewness a few of them happen to have would tell equal models apart more often than it should.

Sources: Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54, 1992;
Johnson, "Modified t tests and confidence intervals for asymmetrical populations", 1978; Cochran, "Sampling Techniques",
1977, sections 2.11 and 9A.2 (error of a ratio, of clusters); Cameron, Gelbach & Miller, "Bootstrap-based improvements
for inference with clustered errors", 2008 (few clusters: n - 1 degrees of freedom).
"""

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import scipy
from jaxtyping import Float64, Int

LEAST_UNITS: Final = 5
"""With fewer units no interval holds what it promises: skewness cannot be told, and one odd scene decides."""
DRAWS: Final = 4000
"""Of means that are drawn together, for what no formula gives; an end moves by 4 % of the standard error."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What is drawn anew.

    Attributes:
        codes: (n,) for each image, which unit it belongs to, 0 to `count` - 1.
        count: how many there are.
        kind: what a unit is.
    """

    codes: Int[np.ndarray, " n"]
    count: int
    kind: Literal["images", "clusters"]


def units_of(clusters: Sequence[str]) -> Units:
    """Decide what is drawn anew: clusters where any has two images, else images.

    Args:
        clusters: of each image; "" where it is not known, which makes the image a unit of its own.

    >>> units_of(["", "", ""]).kind
    'images'
    >>> units_of([*(f"drive {i // 2}" for i in range(40)), ""]).count
    21
    """
    names = np.asarray(clusters, dtype=np.str_)
    alone = names == ""
    found, codes = np.unique(names[~alone], return_inverse=True)
    if len(found) == len(codes):
        return Units(codes=np.arange(len(names)), count=len(names), kind="images")
    whole = np.empty(len(names), np.int64)
    whole[~alone] = codes
    whole[alone] = len(found) + np.arange(alone.sum())
    return Units(codes=whole, count=len(found) + int(alone.sum()), kind="clusters")


def unit_sums(
    values: Float64[np.ndarray, "n k"], weights: Float64[np.ndarray, "n k"], units: Units
) -> tuple[Float64[np.ndarray, "u k"], Float64[np.ndarray, "u k"]]:
    """Sum weighted values, and weights, over the images of each unit.

    Args:
        values: (n, k); what is not finite counts for nothing.
        weights: (n, k), not negative.
        units: of the n images.

    Returns:
        (u, k) sums of weight x value, and (u, k) sums of weights.
    """
    counting = np.where(np.isfinite(values), weights, 0.0)
    weighted = counting * np.where(counting > 0, values, 0.0)
    sums, totals = np.zeros((2, units.count, values.shape[1]))
    np.add.at(sums, units.codes, weighted)
    np.add.at(totals, units.codes, counting)
    return sums, totals


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """k weighted means over the same u units, and what each unit adds to them.

    Attributes:
        values: (k,); NaN where no unit has a value.
        parts: (u, k) sum over units to 0; the deviation of a mean from the true one is, to first order, the sum of u
            independent draws of such parts.
        units: (k,) number of units that have a value.
    """

    values: Float64[np.ndarray, " k"]
    parts: Float64[np.ndarray, "u k"]
    units: Int[np.ndarray, " k"]

    def minus(self, other: "Means") -> "Means":
        """Return the differences of means over the same units, paired."""
        return Means(
            values=self.values - other.values,
            parts=self.parts - other.parts,
            units=np.minimum(self.units, other.units),
        )

    def column(self, k: int) -> "Means":
        """Return one of the means."""
        return Means(values=self.values[[k]], parts=self.parts[:, [k]], units=self.units[[k]])


def linearised(sums: Float64[np.ndarray, "u k"], totals: Float64[np.ndarray, "u k"]) -> Means:
    """Return weighted means with what each unit adds to them.

    The linearised error of a ratio of two sums over units: (value - mean) / n where units are images of equal weight.

    Args:
        sums: from `unit_sums`.
        totals: from `unit_sums`.
    """
    total = totals.sum(axis=0)
    values = np.divide(sums.sum(axis=0), total, out=np.full_like(total, np.nan), where=total > 0)
    parts = (sums - np.nan_to_num(values) * totals) / np.where(total > 0, total, 1.0)
    return Means(values=values, parts=parts, units=(totals > 0).sum(axis=0))


def standard_errors(means: Means) -> Float64[np.ndarray, " k"]:
    """Return the standard error of each mean over units drawn anew; NaN for fewer than two units."""
    n = means.units
    corrected = np.divide(n, n - 1.0, out=np.full(len(n), np.nan), where=n > 1)
    errors: Float64[np.ndarray, " k"] = np.sqrt((means.parts**2).sum(axis=0) * corrected)
    return errors


def intervals(means: Means, *, skewed: bool, level: float = 0.95) -> Float64[np.ndarray, "2 k"]:
    """Return the interval that holds each true mean in `level` of all draws of units; NaN for fewer than two units.

    Args:
        means: of values, or differences of them.
        skewed: whether to correct for skewness: of means of errors, not of differences between models. With fewer than
            `LEAST_UNITS` it is Student's anyway, and to be shown as too few.
        level: of the intervals.
    """
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        quantile = scipy.stats.t.ppf(1 - tail, means.units - 1.0)
    error = standard_errors(means)
    bend = _bend(means) if skewed else np.zeros_like(error)
    ends: Float64[np.ndarray, "2 k"] = np.stack([_unbent(quantile, bend), _unbent(-quantile, bend)])
    return np.asarray(means.values - error * ends)


def p_values(means: Means) -> Float64[np.ndarray, " k"]:
    """Return the two-sided p-value of "the true difference is 0": Student's, paired.

    Below 1 - level where `intervals` that are not `skewed` leave 0 out. Differences without any spread have the p-value
    of a sign test, 2^(1 - n), or 1 where they are 0. NaN for fewer than two units.
    """
    error = standard_errors(means)
    ratio = np.divide(means.values, error, out=np.zeros_like(error), where=error > 0)
    with np.errstate(invalid="ignore"):
        p = 2 * scipy.stats.t.sf(np.abs(ratio), means.units - 1.0)
    p = np.where(error == 0, np.where(means.values == 0, 1.0, 2.0 ** (1.0 - means.units)), p)
    return np.asarray(np.where(np.isnan(error), np.nan, np.minimum(p, 1.0)))


def _bend(means: Means) -> Float64[np.ndarray, " k"]:
    """Skewness of the parts over the root of their number; 0 where there is no spread or too few to tell."""
    n = means.units
    second, third = (means.parts**2).sum(axis=0), (means.parts**3).sum(axis=0)
    told = (second > 0) & (n >= LEAST_UNITS)
    # (third / n) / (second / n)^1.5 / sqrt(n)
    bend: Float64[np.ndarray, " k"] = np.divide(third, second**1.5, out=np.zeros_like(second), where=told)
    return bend


def _unbent(value: Float64[np.ndarray, " k"], bend: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    """Undo Hall's transformation t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 with a = `bend`."""
    safe = np.where(np.abs(bend) < 1e-6, 1.0, bend)
    undone = 3 / safe * (np.cbrt(1 + safe * (value - safe / 6)) - 1)
    found: Float64[np.ndarray, " k"] = np.where(np.abs(bend) < 1e-6, value, undone)
    return found


def drawn_means(means: Means, *, draws: int = DRAWS, seed: int = 0) -> Float64[np.ndarray, "b k"]:
    """Draw all k means together, as units drawn anew would move them, for statistics that mix them.

    From the multivariate t distribution with the covariance of the parts and n - 1 degrees of freedom, so that
    differences of means hold their level with few units too.

    Args:
        means: at least one; with fewer than two units all draws are NaN.
        draws: how many, b.
        seed: of the draws.
    """
    n = len(means.parts)
    if n < 2:
        return np.full((draws, len(means.values)), np.nan)
    generator = np.random.default_rng(seed)
    power, axes = np.linalg.eigh(means.parts.T @ means.parts * (n / (n - 1)))
    normal = generator.standard_normal((draws, len(power))) * np.sqrt(np.maximum(power, 0.0))
    return np.asarray(means.values + (normal @ axes.T) / np.sqrt(generator.chisquare(n - 1, (draws, 1)) / (n - 1)))


def least_signed_rank(n: int) -> float:
    """Return the smallest p-value that Wilcoxon's test can have for n units: all differences of one sign.

    >>> least_signed_rank(8)
    0.0078125
    """
    return min(1.0, 2.0 ** (1 - n))


def signed_rank(differences: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """Test by Wilcoxon's signed ranks whether differences are symmetric about zero.

    Args:
        differences: (n,) paired, finite. Zeros share their ranks between both signs.

    Returns:
        Two-sided p-value, and the rank-biserial correlation (Kerby, "The simple difference formula", 2014): sum of the
        ranks of the positive differences minus that of the negative ones, over the sum of all; +1 where all are
        positive. No or only zero differences: (1, 0).
    """
    if not differences.any():
        return 1.0, 0.0
    found = scipy.stats.wilcoxon(differences, zero_method="zsplit")
    ranks = scipy.stats.rankdata(np.abs(differences))
    return float(found.pvalue), float((np.sign(differences) * ranks).sum() / ranks.sum())


def holm(p_values: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
    """Adjust p-values of m tests so that one error among all of them is as rare as asked for.

    Holm, "A simple sequentially rejective multiple test procedure", 1979: the smallest is multiplied by m, the next by
    m - 1, and so on; never below one before it, never above one.

    >>> [round(p, 3) for p in holm(np.array([0.01, 0.04, 0.03])).tolist()]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted
