"""Residuals: the pixel-wise comparison of predicted and true depth that many errors share."""

import dataclasses
import functools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

Map = Float[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]


@dataclasses.dataclass(frozen=True)
class Residuals:
    """What the depth errors of a batch share; float64, and neutral outside the valid pixels.

    Attributes:
        depth: (b, 1, h, w) predicted depth p in metres; 1 where not valid.
        target: (b, 1, h, w) true depth g in metres, positive; 1 where not valid.
        valid: (b, 1, h, w) the pixels that count.
    """

    depth: Map
    target: Map
    valid: Bool[Tensor, "b 1 h w"]

    @functools.cached_property
    def n(self) -> PerImage:
        """Number of valid pixels; NaN where there is none or a valid prediction is NaN, which then is every mean."""
        n = masked.count(self.valid)
        broken = (n == 0) | self.depth.flatten(1).amax(1).isnan()
        return torch.where(broken, torch.nan, n.double())

    @functools.cached_property
    def difference(self) -> Map:
        """Signed error p - g in metres; 0 where not valid."""
        return self.depth - self.target

    @functools.cached_property
    def relative(self) -> Map:
        """Signed relative error (p - g) / g; 0 where not valid."""
        return self.difference / self.target

    @functools.cached_property
    def ratio(self) -> Map:
        """Ratio p / g; 1 where not valid."""
        return self.depth / self.target

    @functools.cached_property
    def log_ratio(self) -> Map:
        """Signed error e = ln p - ln g; 0 where not valid."""
        return self.ratio.log()

    @functools.cached_property
    def inverse_difference(self) -> Map:
        """Signed disparity error 1/p - 1/g in 1/m; 0 where not valid."""
        return 1 / self.depth - 1 / self.target

    @functools.cached_property
    def worse_ratio(self) -> Map:
        """Larger of p/g and g/p; infinite for p <= 0, 1 where not valid."""
        return self.ratio.maximum(self.target / self.depth.clamp_min(0))

    def mean(self, values: Map) -> PerImage:
        """Mean over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return values.flatten(1).sum(1) / self.n

    def mean_abs(self, values: Map) -> PerImage:
        """Mean magnitude over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return self.mean(values.abs())

    def mean_product(self, x: Map, y: Map) -> PerImage:
        """Mean of x y over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        product: Tensor = torch.linalg.vecdot(x.flatten(1), y.flatten(1))
        return product / self.n

    def root_mean_square(self, values: Map) -> PerImage:
        """Root of the mean square over the valid pixels of values that are 0 elsewhere; NaN for an empty mask."""
        return self.mean_product(values, values).sqrt()

    def count_below(self, threshold: float) -> PerImage:
        """Number of valid pixels whose worse ratio is strictly below a threshold > 1, (b,)."""
        # a comparison written as numbers is vectorised on the CPU, one that makes booleans is not
        below = torch.lt(self.worse_ratio, threshold, out=torch.empty_like(self.worse_ratio))
        everywhere = below.flatten(1).sum(1)
        return everywhere - (self.valid[0].numel() - self.n)  # where not valid the ratio is 1


def residuals(depth: Map, target: Map, valid: Bool[Tensor, "b 1 h w"]) -> Residuals:
    """Set predicted beside true depth; values outside `valid` are inert, even NaN and infinity.

    Args:
        depth: (b, 1, h, w) metres.
        target: (b, 1, h, w) metres, positive where valid.
        valid: (b, 1, h, w).

    >>> one = torch.ones(1, 1, 1, 2)
    >>> errors = residuals(torch.tensor([2.5, torch.nan]).reshape(1, 1, 1, 2), 2 * one, one > torch.tensor([0, 1]))
    >>> errors.mean_abs(errors.relative)
    tensor([0.2500], dtype=torch.float64)
    """
    return Residuals(masked.filled(depth, valid, 1.0).double(), masked.filled(target, valid, 1.0).double(), valid)
