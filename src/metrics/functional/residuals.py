"""Residuals: the pixel-wise comparison of predicted and true depth that many errors share."""

import dataclasses
import functools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import counting, masked

Map = Float[Tensor, "b 1 h w"]
Pixels = Float[Tensor, "b n"]
PerImage = Float[Tensor, " b"]


@dataclasses.dataclass(frozen=True)
class Residuals:
    """What the depth errors of a batch share; float64, and neutral outside the valid pixels.

    Attributes:
        depth: (b, n) predicted depth p in metres; 1 where not valid.
        target: (b, n) true depth g in metres, positive; 1 where not valid.
        valid: (b, n) the pixels that count; None for all.
    """

    depth: Pixels
    target: Pixels
    valid: Bool[Tensor, "b n"] | None = None

    @functools.cached_property
    def valid_count(self) -> PerImage:
        """Number of valid pixels."""
        if self.valid is None:
            return torch.full_like(self.depth[:, 0], self._size)
        return masked.count(self.valid[:, None, None]).double()

    @functools.cached_property
    def n(self) -> PerImage:
        """Number of valid pixels; NaN where there is none or a valid prediction is NaN, which then is every mean."""
        broken = (self.valid_count == 0) | self.depth.amax(1).isnan()
        return self.valid_count.masked_fill(broken, torch.nan)

    @functools.cached_property
    def difference(self) -> Pixels:
        """Signed error p - g in metres; 0 where not valid."""
        return self.depth - self.target

    @functools.cached_property
    def relative(self) -> Pixels:
        """Signed relative error (p - g) / g; 0 where not valid."""
        return self.difference / self.target

    @functools.cached_property
    def abs_relative(self) -> Pixels:
        """Relative error abs(p - g) / g; 0 where not valid."""
        return self.relative.abs()

    @functools.cached_property
    def ratio(self) -> Pixels:
        """Ratio p / g; 1 where not valid."""
        return self.depth / self.target

    @functools.cached_property
    def log_ratio(self) -> Pixels:
        """Signed error e = ln p - ln g; 0 where not valid."""
        return self.ratio.log()

    @functools.cached_property
    def log_variance(self) -> PerImage:
        """Mean of (e - mean(e))^2, (b,); NaN for an empty mask."""
        centred = self.log_ratio - self.mean(self.log_ratio)[:, None]
        return self.mean_square(centred if self.valid is None else torch.where(self.valid, centred, 0.0))

    @functools.cached_property
    def inverse_difference(self) -> Pixels:
        """Signed disparity error 1/p - 1/g in 1/m; 0 where not valid."""
        return 1 / self.depth - 1 / self.target

    @functools.cached_property
    def worse_ratio(self) -> Pixels:
        """Larger of p/g and g/p, negative for p < 0; 1 where not valid."""
        return self.ratio.maximum(self.target / self.depth)

    @functools.cached_property
    def negative_count(self) -> PerImage:
        """Number of valid pixels with p < 0."""
        return counting.below(self.ratio, 0.0)

    def mean(self, values: Pixels) -> PerImage:
        """Mean over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return values.sum(1) / self.n

    def mean_abs(self, values: Pixels) -> PerImage:
        """Mean magnitude over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return self.mean(values.abs())

    def mean_product(self, x: Pixels, y: Pixels) -> PerImage:
        """Mean of x y over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return torch.einsum("bn,bn->b", x, y) / self.n

    def mean_square(self, values: Pixels) -> PerImage:
        """Mean of the squares over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        # a norm is one pass on the CPU, where a product of a map with itself writes a second map
        norm: Tensor = torch.linalg.vector_norm(values, dim=1)
        return norm.square() / self.n

    def count_within(self, threshold: float) -> PerImage:
        """Number of valid pixels with max(p/g, g/p) strictly below a threshold > 1, (b,); all with p < 0."""
        between = counting.below(self.ratio, threshold) - counting.at_most(self.ratio, 1 / threshold)
        return between + self.negative_count - (self._size - self.valid_count)  # where not valid the ratio is 1

    def count_beyond(self, threshold: float) -> PerImage:
        """Number of valid pixels with max(p/g, g/p) strictly above a threshold > 1, (b,); none with p < 0."""
        above = self._size - counting.at_most(self.ratio, threshold)
        return above + counting.below(self.ratio, 1 / threshold) - self.negative_count

    @property
    def mask(self) -> Bool[Tensor, "b n"]:
        """The pixels that count."""
        return torch.ones_like(self.depth, dtype=torch.bool) if self.valid is None else self.valid

    @property
    def _size(self) -> int:
        return self.depth.shape[1]


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
    p, g = (masked.filled(values, valid, 1.0).double().flatten(1) for values in (depth, target))
    return Residuals(p, g, None if masked.is_known_full(valid) else valid.flatten(1))
