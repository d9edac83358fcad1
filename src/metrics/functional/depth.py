"""Depth errors over the valid pixels of each image.

In every formula p is the aligned prediction and g the ground truth, both in metres, means run over the n valid pixels,
and e = ln p - ln g. Every function takes the `Residuals` of a batch, which hold what the formulas share, and returns
(b,) float64. An image without a valid pixel gives NaN. A prediction p <= 0 has no logarithm: the errors in e are then
not finite, and p counts as outside every ratio threshold.

Where papers give one name to two formulas, each formula has its own name here.
"""

import dataclasses
import functools
import math

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
        """Number of valid pixels, NaN instead of zero, so that empty masks give NaN."""
        n = masked.count(self.valid).double()
        return torch.where(n > 0, n, torch.nan)

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
        """p / g; 1 where not valid."""
        return self.depth / self.target

    @functools.cached_property
    def log_ratio(self) -> Map:
        """Signed error e = ln p - ln g; 0 where not valid."""
        return self.ratio.log()

    @functools.cached_property
    def worse_ratio(self) -> Map:
        """Larger of p/g and g/p; infinite for p <= 0, 1 where not valid."""
        return self.ratio.maximum(self.target / self.depth.clamp_min(0))

    def mean(self, values: Map) -> PerImage:
        """Mean over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        return values.flatten(1).sum(1) / self.n

    def mean_abs(self, values: Map) -> PerImage:
        """Mean magnitude over the valid pixels of values that are 0 elsewhere, (b,); NaN for an empty mask."""
        total: Tensor = torch.linalg.vector_norm(values.flatten(1), ord=1, dim=1)
        return total / self.n

    def root_mean_square(self, values: Map) -> PerImage:
        """Root of the mean square over the valid pixels of values that are 0 elsewhere; NaN for an empty mask."""
        norm: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1)
        return norm / self.n.sqrt()


def residuals(depth: Map, target: Map, valid: Bool[Tensor, "b 1 h w"]) -> Residuals:
    """Set predicted beside true depth; values outside `valid` are inert, even NaN and infinity.

    Args:
        depth: (b, 1, h, w) metres.
        target: (b, 1, h, w) metres, positive where valid.
        valid: (b, 1, h, w).

    >>> one = torch.ones(1, 1, 1, 2)
    >>> abs_rel(residuals(torch.tensor([2.5, torch.nan]).reshape(1, 1, 1, 2), 2 * one, one > torch.tensor([0, 1])))
    tensor([0.2500], dtype=torch.float64)
    """
    return Residuals(torch.where(valid, depth, 1.0).double(), torch.where(valid, target, 1.0).double(), valid)


def abs_rel(errors: Residuals) -> PerImage:
    """Absolute relative error: mean of abs(p - g) / g. Fraction, lower is better. Eigen et al. 2014."""
    return errors.mean_abs(errors.relative)


def sq_rel(errors: Residuals) -> PerImage:
    """Squared relative error: mean of (p - g)^2 / g. Metres, lower is better. Eigen et al. 2014, as in their code."""
    return errors.mean(errors.difference * errors.relative)


def rmse(errors: Residuals) -> PerImage:
    """Root mean squared error: sqrt(mean((p - g)^2)). Metres, lower is better. Eigen et al. 2014."""
    return errors.root_mean_square(errors.difference)


def rmse_log(errors: Residuals) -> PerImage:
    """Root mean squared logarithmic error: sqrt(mean(e^2)). Dimensionless, lower is better. Eigen et al. 2014."""
    return errors.root_mean_square(errors.log_ratio)


def log10(errors: Residuals) -> PerImage:
    """Mean absolute decimal logarithmic error: mean of abs(e) / ln 10. Dimensionless, lower is better."""
    return errors.mean_abs(errors.log_ratio) / math.log(10)


def silog(errors: Residuals) -> PerImage:
    """Scale-invariant logarithmic error: 100 sqrt(mean(e^2) - mean(e)^2). Percent, lower is better.

    Evaluated around the mean of e, which is the same and cannot turn negative by rounding. KITTI depth benchmark; Lee
    et al. 2019 (BTS).
    """
    centred = errors.log_ratio - errors.mean(errors.log_ratio)[:, None, None, None]
    return 100 * errors.root_mean_square(torch.where(errors.valid, centred, 0.0))


def delta(errors: Residuals, *, threshold: float) -> PerImage:
    """Inlier share: fraction of pixels with max(p/g, g/p) strictly below `threshold`. Higher is better.

    Ladicky et al. 2014; Eigen et al. 2014.
    """
    return masked.count((errors.worse_ratio < threshold) & errors.valid) / errors.n
