"""Fits of scale and shift per image: target ~ scale * prediction + shift on the valid pixels.

In every function: `prediction` x and `target` y are (b, 1, h, w), `valid` selects the pixels V, `weight` w is
(b, 1, h, w), positive on V, or None for 1; scale s and shift t are (b,) float64. Values outside V are inert. An image
without a valid pixel, or with a non-finite value on one, gives NaN. A negative scale is returned as it is.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from src.alignment.functional.moments import CONSTANT, line, moments
from src.core import masked
from src.core.masked import Map, Mask, PerImage
from src.core.weighted_median import weighted_median

# Halvings of a half turn that reach the resolution of float64.
_HALVINGS = 60


def least_squares(prediction: Map, target: Map, valid: Mask, weight: Map | None = None) -> tuple[PerImage, PerImage]:
    """Minimise sum w (s x + t - y)^2 in closed form, from centred moments.

    Returns:
        Scale and shift. Constant prediction or one pixel: s = 0, t = weighted mean of y, which is the same fitted
        value on V as any other minimiser. All-equal target: s = 0, t = y.
    """
    return line(moments(prediction, target, valid, weight))


def least_absolute(prediction: Map, target: Map, valid: Mask, weight: Map | None = None) -> tuple[PerImage, PerImage]:
    """Minimise sum w abs(s x + t - y), exactly.

    The best shift for a given scale is a weighted median, and what then remains is convex in the scale: its slope is
    followed by bisection over the angle of the line, which ends on the pixel that the best line passes through; the
    best scale through that anchor is again a weighted median. That is the minimum MoGe finds by trying every pixel as
    the anchor, for 60 sorts in place of n. Meant for a small grid of pixels.

    Returns:
        Scale and shift. Constant prediction or one pixel: s = 0, t = (lower) weighted median of y. All-equal target:
        s = 0, t = y. Where several lines are equally good, one of them.

    Source: Wang et al. 2025 (MoGe), `align_depth_affine` without truncation.
    """
    w = _weights(valid, weight)
    x, y = _zeroed(prediction, valid), _zeroed(target, valid)
    spread_x = _spread(x, w)
    aspect = torch.where(spread_x == 0, 0.0, _spread(y, w) / spread_x)
    low = torch.full_like(aspect, -math.pi / 2)
    high = -low
    anchor = weighted_median(y, w)
    for _ in range(_HALVINGS):
        angle = 0.5 * (low + high)
        residual = y - (angle.tan() * aspect)[:, None] * x
        anchor = weighted_median(residual, w)
        above = (residual - _at(residual, anchor)).sign()
        slope = -(w * above * (x - _at(x, anchor))).sum(1)
        low, high = torch.where(slope < 0, angle, low), torch.where(slope < 0, high, angle)
    return _through(anchor, x, y, w)


def _through(
    anchor: Tensor, x: Float[Tensor, "b n"], y: Float[Tensor, "b n"], w: Float[Tensor, "b n"]
) -> tuple[PerImage, PerImage]:
    """Best scale and shift of the lines through one pixel per image."""
    dx, dy = x - _at(x, anchor), y - _at(y, anchor)
    moving = dx != 0
    ratio = torch.where(moving, dy / dx, 0.0)
    scale = _at(ratio, weighted_median(ratio, w * dx.abs())).squeeze(1)
    # no two different predicted values: any line through the median will do, take the level one
    scale = torch.where((moving & (w > 0)).any(1), scale, 0.0)
    shift = (_at(y, anchor) - scale[:, None] * _at(x, anchor)).squeeze(1)
    broken = ~(w * (x + y)).sum(1).isfinite() | (w.sum(1) == 0)
    return scale.masked_fill(broken, torch.nan), shift.masked_fill(broken, torch.nan)


def median_deviation(prediction: Map, target: Map, valid: Mask) -> tuple[PerImage, PerImage]:
    """Match medians and mean absolute deviations: s = dev(y) / dev(x), t = median(y) - s median(x).

    dev(x) = mean abs(x - median(x)). No objective is minimised: it is the affine map that makes both sides equal after
    the normalisation of MiDaS's scale- and shift-invariant loss. s is never negative.

    Returns:
        Scale and shift. Constant prediction or one pixel: s = 0, t = median(y). All-equal target: s = 0, t = y.

    Source: Ranftl et al. 2022 (MiDaS), section 5, `ssitrim`.
    """
    median_x, median_y = masked.median(prediction, valid), masked.median(target, valid)
    deviation_x = masked.mean((prediction.double() - _per_pixel(median_x)).abs(), valid)
    deviation_y = masked.mean((target.double() - _per_pixel(median_y)).abs(), valid)
    scale = torch.where(deviation_x == 0, 0.0, deviation_y / deviation_x)
    scale = scale.masked_fill(deviation_x.isinf(), torch.nan)
    return scale, median_y - scale * median_x


def _weights(valid: Mask, weight: Map | None) -> Float[Tensor, "b n"]:
    return (valid.double() if weight is None else torch.where(valid, weight.double(), 0.0)).flatten(1)


def _zeroed(values: Map, valid: Mask) -> Float[Tensor, "b n"]:
    return masked.filled(values, valid, 0.0).double().flatten(1)


def _spread(values: Float[Tensor, "b n"], w: Float[Tensor, "b n"]) -> PerImage:
    """Weighted mean absolute deviation, 0 where it is but rounding."""
    mass = w.sum(1)
    mean = (w * values).sum(1) / mass
    spread = (w * (values - mean[:, None]).abs()).sum(1) / mass
    return torch.where(spread <= CONSTANT * mean.abs(), 0.0, spread)


def _at(values: Float[Tensor, "b n"], index: Tensor) -> Float[Tensor, "b 1"]:
    return values.gather(1, index[:, None])


def _per_pixel(values: PerImage) -> Float[Tensor, "b 1 1 1"]:
    return values[:, None, None, None]
