"""Depth errors over the valid pixels of each image.

In every function: `depth` is the aligned prediction p and `target` the ground truth g, both (b, 1, h, w) in metres;
`valid` (b, 1, h, w) selects the pixels V; the result is (b,) float64. An image without a valid pixel gives NaN.
Formulas as in Eigen et al. 2014 and the KITTI devkit; where papers differ, each form has its own name.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]


def abs_rel(depth: Map, target: Map, valid: Mask) -> PerImage:
    """Mean of abs(p - g) / g. Fraction, lower is better."""
    return masked.mean((depth.double() - target).abs() / target, valid)
