"""Fits of scale and shift per image: target ~ scale * prediction + shift on the valid pixels.

In every function: `prediction` x and `target` y are (b, 1, h, w), `valid` selects the pixels V; scale and shift are
(b,) float64. Values outside V are inert. An image without a valid pixel, or with a non-finite value on one, gives NaN.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]

# A spread this small relative to the values is rounding: neighbouring float32 numbers differ by 6e-8.
_CONSTANT = 1e-13


def least_squares(prediction: Map, target: Map, valid: Mask) -> tuple[PerImage, PerImage]:
    """Minimise sum (s x + t - y)^2 in closed form.

    Both maps are centred per image before they are multiplied: uncentred normal equations lose every digit where the
    offset dwarfs the contrast (5 +- 0.001 in float32: 50 % error of the scale).

    Returns:
        Scale s and shift t. s may be negative. Constant prediction or one pixel: s = 0, t = mean(y), which is the
        same depth on V as any other minimiser. All-equal target: s = 0, t = y.
    """
    x, y = prediction.double(), target.double()
    mean_x, mean_y = masked.mean(x, valid), masked.mean(y, valid)
    dx, dy = x - _per_pixel(mean_x), y - _per_pixel(mean_y)
    variance, covariance = masked.mean(dx * dx, valid), masked.mean(dx * dy, valid)
    is_constant = variance <= (_CONSTANT * mean_x) ** 2
    scale = torch.where(is_constant, 0.0, covariance / variance)
    return scale, mean_y - scale * mean_x


def _per_pixel(values: PerImage) -> Float[Tensor, "b 1 1 1"]:
    return values[:, None, None, None]
