"""How sure a mean, a difference and a rank are: pure functions of arrays, one line per image.

The images of one scene resemble one another, so that a thousand frames of thirty drives say less than a thousand drives
would. What is drawn anew is therefore the *unit*: the group of images that a data set names, or the image where groups
say nothing about dependence (`units_of`). Everything random takes a seed: equal units are drawn alike, so that models
that saw the same images are resampled together and their differences are paired.

Sources: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals, chapter 13; p-values from
resamples, chapter 16); Wolter, "Introduction to Variance Estimation", 2007, chapter 2 (random groups); Cochran,
"Sampling Techniques", 1977, sections 2.11 and 9A.2 (error of a ratio, of clusters); Cameron, Gelbach & Miller,
"Bootstrap-based improvements for inference with clustered errors", 2008 (few clusters);
Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006 (Friedman, Nemenyi, diagrams).
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float, Float64, Int

RESAMPLES = 1000
LEAST_GROUPS = 10
"""With fewer groups than this their resampling says more about the luck of the draw than about the data."""
RANDOM_GROUPS = 10_000
"""More units than this are first put into so many groups at random; see `resampled_means`."""
_DRAWS_AT_ONCE = 250_000  # so many indices and their counts fit into a processor's cache


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
    kind: Literal["images", "groups"]


def units_of(groups: Sequence[str]) -> Units:
    """Decide what is drawn anew: groups where there are enough of them and any has two images, else images.

    Groups that are few, such as indoors and outdoors, are kinds of scene, chosen by whoever made the data set, and no
    sample of anything.

    Args:
        groups: of each image; "" for none.

    >>> units_of(["indoors", "outdoor", "outdoor"]).kind
    'images'
    >>> units_of([f"drive {i // 2}" for i in range(40)]).count
    20
    """
    names, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    if LEAST_GROUPS <= len(names) < len(codes):
        return Units(codes=codes.astype(np.int64), count=len(names), kind="groups")
    return Units(codes=np.arange(len(codes)), count=len(codes), kind="images")


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


def resampled_means(
    sums: Float64[np.ndarray, "u k"],
    totals: Float64[np.ndarray, "u k"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    random_groups: int = RANDOM_GROUPS,
) -> Float64[np.ndarray, "b k"]:
    """Draw units with replacement and take the weighted mean of each draw.

    A resample is a count per unit, so that one matrix product gives the means of all columns.

    Of many units, random groups of (nearly) equal size are drawn in their place, so that a million images cost what ten
    thousand do. Units are drawn independently of one another, and so are random groups of them; the mean of the groups
    is the mean of the units, and the variance and skewness of its resamples are on average those of drawing units
    (Wolter 2007, section 2.2: random groups). What the choice of groups adds is the luck of estimating a spread from
    10 000 values: a standard error of 1 / sqrt(2 x 10 000) = 0.7 % of it, beside the 1 / sqrt(2 x 1000) = 2.2 % that a
    thousand resamples have anyway.

    Args:
        sums: from `unit_sums`.
        totals: from `unit_sums`.
        resamples: how many draws, b.
        seed: of the groups and of the draws, which depend on nothing else but u.
        random_groups: how many units are drawn one by one, and how many groups are made of more.

    Returns:
        (b, k) means, NaN where a draw holds no value of the column.
    """
    if len(sums) == 0:
        return np.full((resamples, sums.shape[1]), np.nan)
    generator = np.random.default_rng(seed)
    if len(sums) > random_groups:
        order = generator.permutation(len(sums))
        starts = len(sums) * np.arange(random_groups) // random_groups
        sums, totals = (np.add.reduceat(values[order], starts) for values in (sums, totals))
    units = len(sums)
    means = []
    step = max(1, _DRAWS_AT_ONCE // units)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, units, (rows, units))
        drawn += units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
        total = counts @ totals
        means.append(np.divide(counts @ sums, total, out=np.full_like(total, np.nan), where=total > 0))
    return np.concatenate(means)


def percentile_interval(distribution: Float64[np.ndarray, "b k"], level: float = 0.95) -> Float64[np.ndarray, "2 k"]:
    """Return the interval that holds the middle `level` of each column; NaN where a column has no value."""
    bounds = np.full((2, distribution.shape[1]), np.nan)
    seen = np.isfinite(distribution).any(axis=0)
    tail = (1 - level) / 2
    bounds[:, seen] = np.nanquantile(distribution[:, seen], (tail, 1 - tail), axis=0)
    return bounds


def standard_errors(
    values: Float64[np.ndarray, "n k"], weights: Float64[np.ndarray, "n k"], units: Units
) -> Float64[np.ndarray, " k"]:
    """Return the standard error of each weighted mean over units drawn anew; NaN for fewer than two units.

    The linearised error of a ratio of two sums over units: sample standard deviation / sqrt(n) where units are images
    of equal weight.
    """
    sums, totals = unit_sums(values, weights, units)
    holding = (totals > 0).sum(axis=0)
    total = totals.sum(axis=0)
    mean = np.divide(sums.sum(axis=0), total, out=np.full_like(total, np.nan), where=total > 0)
    residual = ((sums - mean * totals) ** 2).sum(axis=0)
    corrected = np.divide(holding, holding - 1.0, out=np.full_like(total, np.nan), where=holding > 1)
    errors: Float64[np.ndarray, " k"] = np.sqrt(residual * corrected) / np.where(total > 0, total, np.nan)
    return errors


def resampled_p(differences: Float64[np.ndarray, " b"]) -> float:
    """Return the two-sided p-value of "no difference" from resampled differences.

    Twice the share of resamples on the far side of zero, resamples at zero counted on both; the observed sample counts
    as one more draw (Davison & Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2), so that the
    value is never below 2 / (b + 1).

    >>> resampled_p(np.array([1.0] * 98 + [-1.0]))
    0.04
    """
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(differences) + 1))


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


def ranks(means: Float[np.ndarray, "*rows m"], *, higher_is_better: bool) -> Float64[np.ndarray, "*rows m"]:
    """Rank the last axis, 1 for the best; equal ones share the mean of their places.

    >>> ranks(np.array([0.2, 0.1, 0.2]), higher_is_better=False).tolist()
    [2.5, 1.0, 2.5]
    """
    ranked: Float64[np.ndarray, "*rows m"] = scipy.stats.rankdata(-means if higher_is_better else means, axis=-1)
    return ranked


def resampled_average_ranks(
    columns: Sequence[Float64[np.ndarray, "b m"]], *, higher_is_better: bool, seed: int = 0
) -> Float64[np.ndarray, "b m"]:
    """Draw data sets with replacement, their images anew, and average the ranks of m models over them.

    Args:
        columns: for each data set, (b, m) resampled means of the m models, the same units drawn for all of them.
        higher_is_better: of the metric.
        seed: of the draws of data sets; a single one is always drawn.

    Returns:
        (b, m) average ranks.
    """
    ranked = np.stack([ranks(column, higher_is_better=higher_is_better) for column in columns])
    sets, resamples, _ = ranked.shape
    picked = np.random.default_rng(seed).integers(0, sets, (resamples, sets))
    # a set that is drawn twice takes two draws of its images
    draws = (np.arange(resamples)[:, None] + np.arange(sets)) % resamples
    averaged: Float64[np.ndarray, "b m"] = ranked[picked, draws].mean(axis=1)
    return averaged


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
