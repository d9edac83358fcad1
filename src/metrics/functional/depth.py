"""Depth errors over the valid pixels of each image.

In every formula p is the aligned prediction and g the ground truth, both in metres, means run over the n valid pixels,
and e = ln p - ln g. Every function takes the `Residuals` of a batch, which hold what the formulas share, and returns
(b,) float64. An image without a valid pixel gives NaN, and so does one with a NaN prediction on a valid pixel. A
prediction p <= 0 has no logarithm: the errors in e are then not finite, and p counts as outside every ratio threshold.
(Evaluators that do not clip count a negative p as inside, since both ratios are then below 1.)

All but two are made of sums over pixels (`Formula`): what is written below is the error out of n and those sums.

Where papers give one name to two formulas, each formula has its own name here.
"""

import functools
import math

import torch

from src.core import masked
from src.metrics.functional import sums
from src.metrics.functional.formula import Formula, of_sums
from src.metrics.functional.residuals import PerImage, Pixels, Residuals


@of_sums(sums.abs_relative)
def abs_rel(n: PerImage, total: PerImage) -> PerImage:
    """Absolute relative error: mean of abs(p - g) / g. Fraction, lower is better. Eigen et al. 2014."""
    return total / n


@of_sums(sums.abs_relative_moge)
def abs_rel_moge(n: PerImage, total: PerImage) -> PerImage:
    """Absolute relative error of MoGe: mean of abs(p - g) / (g + 1e-6 m). Fraction, lower is better.

    Wang et al. 2025 (MoGe).
    """
    return total / n


@of_sums(sums.square_over_target)
def sq_rel(n: PerImage, total: PerImage) -> PerImage:
    """Squared relative error: mean of (p - g)^2 / g. Metres, lower is better. Eigen et al. 2014, as in their code."""
    return total / n


@of_sums(sums.square_relative)
def sq_rel_kitti(n: PerImage, total: PerImage) -> PerImage:
    """Squared relative error of the KITTI devkit: mean of (p - g)^2 / g^2. Fraction, lower is better."""
    return total / n


@of_sums(sums.abs_difference)
def mae(n: PerImage, total: PerImage) -> PerImage:
    """Mean absolute error: mean of abs(p - g). Metres, lower is better."""
    return total / n


@of_sums(sums.square_difference)
def rmse(n: PerImage, total: PerImage) -> PerImage:
    """Root mean squared error: sqrt(mean((p - g)^2)). Metres, lower is better. Eigen et al. 2014."""
    return (total / n).sqrt()


@of_sums(sums.square_log)
def rmse_log(n: PerImage, total: PerImage) -> PerImage:
    """Root mean squared logarithmic error: sqrt(mean(e^2)). Dimensionless, lower is better. Eigen et al. 2014.

    The natural logarithm; `rmse_log10` is the decimal one.
    """
    return (total / n).sqrt()


@of_sums(sums.square_log)
def rmse_log10(n: PerImage, total: PerImage) -> PerImage:
    """Root mean squared decimal logarithmic error: sqrt(mean(e^2)) / ln 10. Dimensionless, lower is better.

    What Metric3D's released evaluator calls rmse_log (Yin et al. 2023).
    """
    return (total / n).sqrt() / math.log(10)


@of_sums(sums.abs_log)
def log10(n: PerImage, total: PerImage) -> PerImage:
    """Mean absolute decimal logarithmic error: mean of abs(e) / ln 10. Dimensionless, lower is better."""
    return total / n / math.log(10)


@of_sums(sums.abs_log)
def log_mae(n: PerImage, total: PerImage) -> PerImage:
    """Mean absolute logarithmic error: mean of abs(e). Dimensionless, lower is better. Spencer et al. 2022 (MDEC)."""
    return total / n


def median_log(errors: Residuals) -> PerImage:
    """Bias of the logarithm: 100 abs(median(e)). Percent, lower is better. Piccinelli et al. 2024 (UniDepth).

    The median of an even number of pixels is the mean of the two middle values.
    """
    return 100 * _median(errors.log_ratio, errors).abs()


@of_sums(sums.shifted_log, sums.square_shifted_log)
def silog(n: PerImage, total: PerImage, squares: PerImage) -> PerImage:
    """Scale-invariant logarithmic error: 100 sqrt(mean(e^2) - mean(e)^2). Percent, lower is better.

    Evaluated with e reckoned from its value at one pixel, which changes nothing but the rounding: the spread loses at
    most n 1e-16 of itself, however large the common offset is. KITTI depth benchmark; Lee et al. 2019 (BTS).
    """
    return 100 * _variance(n, total, squares).sqrt()


@of_sums(sums.shifted_log, sums.square_shifted_log)
def silog_log10(n: PerImage, total: PerImage, squares: PerImage) -> PerImage:
    """Scale-invariant decimal logarithmic error: sqrt(mean(e^2) - mean(e)^2) / ln 10. Dimensionless, lower is better.

    What Metric3D's released evaluator calls silog (Yin et al. 2023); no factor 100.
    """
    return _variance(n, total, squares).sqrt() / math.log(10)


@of_sums(sums.shifted_log, sums.square_shifted_log)
def silog_std(n: PerImage, total: PerImage, squares: PerImage) -> PerImage:
    """Scale-invariant logarithmic error as a sample deviation: 100 sqrt(sum((e - mean(e))^2) / (n - 1)).

    Percent, lower is better. A single pixel has no spread: 0. Piccinelli et al. 2024 (UniDepth).
    """
    return 100 * (_variance(n, total, squares) * (n / (n - 1).clamp_min(1))).sqrt()


@of_sums(sums.shifted_log, sums.square_shifted_log, sums.log)
def silog_half(n: PerImage, total: PerImage, squares: PerImage, unshifted: PerImage) -> PerImage:
    """Half scale-invariant logarithmic error: sqrt(mean(e^2) - mean(e)^2 / 2). Dimensionless, lower is better.

    Eigen et al. 2014 train with it; Depth Anything V2's metric models are scored with it under the name `silog`.
    """
    return (_variance(n, total, squares) + (unshifted / n).square() / 2).sqrt()


def _variance(n: PerImage, total: PerImage, squares: PerImage) -> PerImage:
    return (squares / n - (total / n).square()).clamp_min(0)


@of_sums(sums.abs_inverse_difference)
def i_mae(n: PerImage, total: PerImage) -> PerImage:
    """Mean absolute error of disparity: mean of abs(1/p - 1/g). 1/m, lower is better.

    The KITTI benchmark prints 1/km: 1000 times as much.
    """
    return total / n


@of_sums(sums.square_inverse_difference)
def i_rmse(n: PerImage, total: PerImage) -> PerImage:
    """Root mean squared error of disparity: sqrt(mean((1/p - 1/g)^2)). 1/m, lower is better.

    The KITTI benchmark prints 1/km: 1000 times as much.
    """
    return (total / n).sqrt()


def ssi_trimmed_mae(errors: Residuals) -> PerImage:
    """Scale- and shift-invariant trimmed error of disparity: sum of the floor(0.8 n) least abs(x - y) / (2 n).

    x is 1/p and y is 1/g, each less its median and divided by its mean absolute deviation from it; a constant map
    becomes 0. Dimensionless, lower is better. Ranftl et al. 2022 (MiDaS), `ssitrim`, from their training loss.
    """
    x, y = (_robustly_normalised(1 / values, errors) for values in (errors.depth, errors.target))
    # infinity sorts what is not valid to the end, out of reach of the sum
    ordered = torch.where(errors.mask, (x - y).abs(), torch.inf).sort(1).values
    kept = (0.8 * errors.n).floor()
    rank = torch.arange(ordered.shape[1], device=ordered.device)
    return torch.where(rank < kept[:, None], ordered, 0.0).sum(1) / (2 * errors.n)


def _robustly_normalised(values: Pixels, errors: Residuals) -> Pixels:
    offset = values - _median(values, errors)[:, None]
    deviation = torch.where(errors.mask, offset.abs(), 0.0).sum(1, keepdim=True) / errors.n[:, None]
    return torch.where(deviation == 0, 0.0, offset / deviation)


def _median(values: Pixels, errors: Residuals) -> PerImage:
    return masked.median(values[:, None, None], errors.mask[:, None, None])


def delta(threshold: float) -> Formula:
    """Inlier share: fraction of pixels with max(p/g, g/p) strictly below `threshold`. Higher is better.

    Ladicky et al. 2014; Eigen et al. 2014.
    """

    @of_sums(functools.partial(Residuals.count_below, threshold=threshold))
    def share(n: PerImage, inliers: PerImage) -> PerImage:
        return inliers / n

    return share


@of_sums(sums.count_above_125)
def delta1_error(n: PerImage, outliers: PerImage) -> PerImage:
    """Outlier share: percentage of pixels with max(p/g, g/p) strictly above 1.25. Lower is better.

    Ranftl et al. 2022 (MiDaS), whose tables call it delta > 1.25, or delta1 for short.
    """
    return 100 * outliers / n


@of_sums(sums.area_under_inlier_curve)
def delta_auc(n: PerImage, total: PerImage) -> PerImage:
    """Area under the inlier curve: 1/5 of the integral of delta(1.25^x) over x from 0.01 to 5. Higher is better.

    Fraction; 0.998 for a perfect prediction. The integral is the trapezoidal sum over 100 evenly spaced x. Piccinelli
    et al. 2024 (UniDepth).
    """
    return total / n
