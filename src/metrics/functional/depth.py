"""Depth errors over the valid pixels of each image.

In every formula p is the aligned prediction and g the ground truth, both in metres, means run over the n valid pixels,
and e = ln p - ln g. Every function takes the `Residuals` of a batch, which hold what the formulas share, and returns
(b,) float64. An image without a valid pixel gives NaN, and so does one with a NaN prediction on a valid pixel. A
prediction p <= 0 has no logarithm: the errors in e are then not finite. Both ratios of a p < 0 are below 1, so that it
counts as an inlier, as in every published evaluator that does not clip (MoGe, UniDepth); p = 0 does not.

Where papers give one name to two formulas, each formula has its own name here.
"""

import math

import torch

from src.core import masked
from src.metrics.functional.residuals import PerImage, Pixels, Residuals


def abs_rel(errors: Residuals) -> PerImage:
    """Absolute relative error: mean of abs(p - g) / g. Fraction, lower is better. Eigen et al. 2014."""
    return errors.mean(errors.abs_relative)


def abs_rel_moge(errors: Residuals) -> PerImage:
    """Absolute relative error of MoGe: mean of abs(p - g) / (g + 1e-6 m). Fraction, lower is better.

    Wang et al. 2025 (MoGe).
    """
    return errors.mean_abs(errors.difference / (errors.target + 1e-6))


def sq_rel(errors: Residuals) -> PerImage:
    """Squared relative error: mean of (p - g)^2 / g. Metres, lower is better. Eigen et al. 2014, as in their code."""
    return errors.mean_product(errors.difference, errors.relative)


def sq_rel_kitti(errors: Residuals) -> PerImage:
    """Squared relative error of the KITTI devkit: mean of (p - g)^2 / g^2. Fraction, lower is better."""
    return errors.mean_square(errors.relative)


def mae(errors: Residuals) -> PerImage:
    """Mean absolute error: mean of abs(p - g). Metres, lower is better."""
    return errors.mean_abs(errors.difference)


def rmse(errors: Residuals) -> PerImage:
    """Root mean squared error: sqrt(mean((p - g)^2)). Metres, lower is better. Eigen et al. 2014."""
    return errors.mean_square(errors.difference).sqrt()


def rmse_log(errors: Residuals) -> PerImage:
    """Root mean squared logarithmic error: sqrt(mean(e^2)). Dimensionless, lower is better. Eigen et al. 2014.

    The natural logarithm; `rmse_log10` is the decimal one.
    """
    return errors.mean_square(errors.log_ratio).sqrt()


def rmse_log10(errors: Residuals) -> PerImage:
    """Root mean squared decimal logarithmic error: sqrt(mean(e^2)) / ln 10. Dimensionless, lower is better.

    What Metric3D's released evaluator calls rmse_log (Yin et al. 2023).
    """
    return rmse_log(errors) / math.log(10)


def log10(errors: Residuals) -> PerImage:
    """Mean absolute decimal logarithmic error: mean of abs(e) / ln 10. Dimensionless, lower is better."""
    return log_mae(errors) / math.log(10)


def log_mae(errors: Residuals) -> PerImage:
    """Mean absolute logarithmic error: mean of abs(e). Dimensionless, lower is better. Spencer et al. 2022 (MDEC)."""
    return errors.mean_abs(errors.log_ratio)


def median_log(errors: Residuals) -> PerImage:
    """Bias of the logarithm: 100 abs(median(e)). Percent, lower is better. Piccinelli et al. 2024 (UniDepth).

    The median of an even number of pixels is the lower of the two middle values, as torch takes it.
    """
    median = masked.lower_median(errors.log_ratio[:, None, None], errors.mask[:, None, None])
    return 100 * median.abs()


def silog(errors: Residuals) -> PerImage:
    """Scale-invariant logarithmic error: 100 sqrt(mean(e^2) - mean(e)^2). Percent, lower is better.

    Evaluated around the mean of e, which is the same and cannot turn negative by rounding. KITTI depth benchmark; Lee
    et al. 2019 (BTS).
    """
    return 100 * errors.log_variance.sqrt()


def silog_log10(errors: Residuals) -> PerImage:
    """Scale-invariant decimal logarithmic error: sqrt(mean(e^2) - mean(e)^2) / ln 10. Dimensionless, lower is better.

    What Metric3D's released evaluator calls silog (Yin et al. 2023); no factor 100.
    """
    return errors.log_variance.sqrt() / math.log(10)


def silog_std(errors: Residuals) -> PerImage:
    """Scale-invariant logarithmic error as a sample deviation: 100 sqrt(sum((e - mean(e))^2) / (n - 1)).

    Percent, lower is better. A single pixel has no spread: 0. Piccinelli et al. 2024 (UniDepth).
    """
    return 100 * (errors.log_variance * (errors.n / (errors.n - 1).clamp_min(1))).sqrt()


def silog_half(errors: Residuals) -> PerImage:
    """Half scale-invariant logarithmic error: sqrt(mean(e^2) - mean(e)^2 / 2). Dimensionless, lower is better.

    Eigen et al. 2014 train with it; Depth Anything V2's metric models are scored with it under the name `silog`.
    """
    return (errors.log_variance + errors.mean(errors.log_ratio).square() / 2).sqrt()


def i_mae(errors: Residuals) -> PerImage:
    """Mean absolute error of disparity: mean of abs(1/p - 1/g). 1/m, lower is better.

    The KITTI benchmark prints 1/km: 1000 times as much.
    """
    return errors.mean_abs(errors.inverse_difference)


def i_rmse(errors: Residuals) -> PerImage:
    """Root mean squared error of disparity: sqrt(mean((1/p - 1/g)^2)). 1/m, lower is better.

    The KITTI benchmark prints 1/km: 1000 times as much.
    """
    return errors.mean_square(errors.inverse_difference).sqrt()


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
    deviation = errors.mean(torch.where(errors.mask, offset.abs(), 0.0))[:, None]
    return torch.where(deviation == 0, 0.0, offset / deviation)


def _median(values: Pixels, errors: Residuals) -> PerImage:
    return masked.median(values[:, None, None], errors.mask[:, None, None])


def delta(errors: Residuals, *, threshold: float) -> PerImage:
    """Inlier share: fraction of pixels with max(p/g, g/p) strictly below `threshold`. Higher is better.

    Ladicky et al. 2014; Eigen et al. 2014.
    """
    return errors.count_within(threshold) / errors.n


def delta1_error(errors: Residuals) -> PerImage:
    """Outlier share: percentage of pixels with max(p/g, g/p) strictly above 1.25. Lower is better.

    Ranftl et al. 2022 (MiDaS), whose tables call it delta > 1.25, or delta1 for short.
    """
    return 100 * errors.count_beyond(1.25) / errors.n


def delta_auc(errors: Residuals) -> PerImage:
    """Area under the inlier curve: 1/5 of the integral of delta(1.25^x) over x from 0.01 to 5. Higher is better.

    Fraction; 0.998 for a perfect prediction. The integral is the trapezoidal sum over 100 evenly spaced x. Piccinelli
    et al. 2024 (UniDepth).
    """
    x = torch.linspace(0.01, 5, 100, dtype=torch.float64, device=errors.target.device)
    weights = torch.full_like(x, (5 - 0.01) / 99 / 5)
    weights[0] = weights[-1] = weights[0] / 2
    # a pixel is an inlier from the first threshold above its ratio on, and contributes all weights from there
    remaining = torch.cat([weights.flip(0).cumsum(0).flip(0), weights.new_zeros(1)])
    first = torch.bucketize(errors.worse_ratio, 1.25**x, right=True)
    return errors.mean(torch.where(errors.mask, remaining[first], 0.0))
