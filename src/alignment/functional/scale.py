"""Fits of one factor per image: target ~ scale * prediction on the valid pixels.

In every function: `prediction` x and `target` y are (b, 1, h, w), `valid` selects the pixels V, `weight` w is
(b, 1, h, w), positive on V, or None for 1; the result is (b,) float64. Values outside V are inert. An image without a
valid pixel, or with NaN on one, gives NaN. A negative scale is returned as it is.
"""

import torch

from src.core import masked
from src.core.masked import Map, Mask, PerImage
from src.core.weighted_median import weighted_median


def ratio_of_medians(prediction: Map, target: Map, valid: Mask) -> PerImage:
    """median(y) / median(x), each the mean of the two middle values where the count is even.

    One pixel: y / x. Prediction with median 0: infinite or NaN. All-equal target: y / median(x).
    Source: Zhou et al. 2017 (SfMLearner), since then the scale of self-supervised models.
    """
    return masked.median(target, valid) / masked.median(prediction, valid)


def ratio_of_lower_medians(prediction: Map, target: Map, valid: Mask) -> PerImage:
    """median(y) / median(x), each the lower of the two middle values where the count is even, as torch.median has it.

    One pixel: y / x. Prediction with lower median 0: infinite or NaN. All-equal target: y / median(x).
    Source: Piccinelli et al. 2024 (UniDepth) and Yin et al. 2023 (Metric3D), whose code calls torch.median.
    """
    return masked.lower_median(target, valid) / masked.lower_median(prediction, valid)


def median_of_ratios(prediction: Map, target: Map, valid: Mask) -> PerImage:
    """median(y / x): the weighted least absolute error with weights abs(x), and not the ratio of the medians.

    One pixel: y / x. Where x = 0 the ratio is infinite (NaN for y = 0), so a prediction that is 0 on half of V has no
    finite scale. All-equal target: y * median(1 / x).
    """
    return masked.median(target.double() / prediction, valid)


def least_squares(prediction: Map, target: Map, valid: Mask, weight: Map | None = None) -> PerImage:
    """Minimise sum w (s x - y)^2, so s = sum w x y / sum w x^2.

    One pixel: y / x. Constant prediction c: mean(y) / c. Prediction 0 everywhere: NaN. All-equal target: no special
    case.
    """
    with_target, with_itself = products(prediction, target, valid, weight)
    return with_target / with_itself


def products(prediction: Map, target: Map, valid: Mask, weight: Map | None = None) -> tuple[PerImage, PerImage]:
    """Return sum w x y and sum w x^2, whose ratio is the factor of least squares; each adds up over images.

    0 for an image without a valid pixel.
    """
    x = prediction.double()
    weighted = x if weight is None else x * weight
    return masked.total(weighted * target, valid), masked.total(weighted * x, valid)


def least_absolute(prediction: Map, target: Map, valid: Mask, weight: Map | None = None) -> PerImage:
    """Minimise sum w abs(s x - y), exactly: the median of y / x weighted with w abs(x).

    Where the minimisers are an interval, its lower end. One pixel: y / x. Constant prediction c: weighted (lower)
    median of y, divided by c. Pixels with x = 0 have no say; prediction 0 everywhere: NaN.
    Source: Wang et al. 2025 (MoGe), `align` without truncation.
    """
    x = prediction.double()
    moving = valid & (x != 0)
    ratio = torch.where(moving, target.double() / x, 0.0).flatten(1)
    mass = torch.where(moving, x.abs() if weight is None else x.abs() * weight, 0.0).flatten(1)
    scale = ratio.gather(1, weighted_median(ratio, mass)[:, None]).squeeze(1)
    total = mass.sum(1)
    return torch.where(total.isfinite() & (total > 0), scale, torch.nan)
