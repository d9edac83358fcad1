"""Fits of one factor per image: target ~ scale * prediction on the valid pixels.

In every function: `prediction` x and `target` y are (b, 1, h, w), `valid` selects the pixels V; the result is (b,)
float64. Values outside V are inert. An image without a valid pixel, or with NaN on one, gives NaN.
A negative scale is returned as it is; a prediction whose denominator is zero gives an infinite or NaN scale.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]


def ratio_of_medians(prediction: Map, target: Map, valid: Mask) -> PerImage:
    """median(y) / median(x), each the mean of the two middle values where the count is even.

    The scale of self-supervised models since Zhou et al. 2017 (SfMLearner). One pixel: y / x.
    """
    return masked.median(target, valid) / masked.median(prediction, valid)


def least_squares(prediction: Map, target: Map, valid: Mask) -> PerImage:
    """Minimise sum (s x - y)^2, so s = sum x y / sum x^2. One pixel: y / x; x = 0 everywhere: NaN."""
    x = prediction.double()
    return masked.mean(x * target, valid) / masked.mean(x * x, valid)
