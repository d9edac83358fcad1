"""Residuals: the pixel-wise comparison of predicted and true depth that many errors share."""

import dataclasses
import functools

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

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
        pilot: (b,) some log ratio of the image, from which its spread is reckoned; None for that of the first pixel.
    """

    depth: Pixels
    target: Pixels
    valid: Bool[Tensor, "b n"] | None = None
    pilot: PerImage | None = None

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
    def origin(self) -> PerImage:
        """The pilot: a log ratio of the image, or 0 of an image without a valid pixel."""
        if self.pilot is not None:
            return self.pilot
        if self.valid is None:
            return self.log_ratio[:, 0]
        return self.log_ratio.gather(1, self.valid.byte().argmax(1, keepdim=True)).squeeze(1)

    @functools.cached_property
    def shifted_log_ratio(self) -> Pixels:
        """Log ratio less the pilot; 0 where not valid."""
        shifted = self.log_ratio - self.origin[:, None]
        return shifted if self.valid is None else torch.where(self.valid, shifted, 0.0)

    @functools.cached_property
    def inverse_difference(self) -> Pixels:
        """Signed disparity error 1/p - 1/g in 1/m; 0 where not valid."""
        return 1 / self.depth - 1 / self.target

    @functools.cached_property
    def worse_ratio(self) -> Pixels:
        """Larger of p/g and g/p; infinite for p <= 0, 1 where not valid."""
        return self.ratio.maximum(self.target / self.depth.clamp_min(0))

    def count_below(self, threshold: float) -> PerImage:
        """Number of valid pixels whose worse ratio is strictly below a threshold > 1, (b,)."""
        # a comparison written as numbers is vectorised on the CPU, one that makes booleans is not
        below = torch.lt(self.worse_ratio, threshold, out=torch.empty_like(self.worse_ratio)).sum(1)
        return below if self.valid is None else below - (self._size - self.n)  # where not valid the ratio is 1

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
    >>> errors.relative
    tensor([[0.2500, 0.0000]], dtype=torch.float64)
    """
    p, g = (masked.filled(values, valid, 1.0).double().flatten(1) for values in (depth, target))
    return Residuals(p, g, valid.flatten(1))
