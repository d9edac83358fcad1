"""Reductions over the valid pixels of each image, batched, in float64, without a host synchronisation.

Empty-mask rule of this module: an image without a valid pixel gives NaN.
Values outside the mask are inert, even NaN and infinity.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from src.core import counting
from src.core.order_statistics import neighbours

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]


def count(valid: Mask) -> Int[Tensor, " b"]:
    """Number of valid pixels of each image, (b,) int64."""
    return counting.true(valid)


def is_known_full(valid: Mask) -> bool:
    """Whether every pixel is valid; false on an accelerator, where looking would wait for it.

    Selecting takes as long on the CPU as five arithmetic operations, and packed pixels are all valid.
    """
    return valid.device.type == "cpu" and valid.numel() > 0 and counting.is_all_true(valid)


def filled(values: Map, valid: Mask, fill: float) -> Map:
    """The values with `fill` outside the mask; the values themselves where the mask is known to be full."""
    return values if is_known_full(valid) else torch.where(valid, values, fill)


def total(values: Map, valid: Mask) -> PerImage:
    """Sum over the valid pixels of each image, (b,) float64; 0 for an empty mask."""
    return filled(values, valid, 0.0).double().flatten(1).sum(1)


def mean(values: Map, valid: Mask) -> PerImage:
    """Mean over the valid pixels of each image, (b,) float64; NaN for an empty mask.

    >>> valid = torch.tensor([True, True, False]).reshape(1, 1, 1, 3)
    >>> mean(torch.tensor([1.0, 2.0, torch.nan]).reshape(1, 1, 1, 3), valid)
    tensor([1.5000], dtype=torch.float64)
    """
    return total(values, valid) / count(valid)


def all_finite(values: Map, valid: Mask) -> Bool[Tensor, " b"]:
    """Whether every valid pixel of an image is neither NaN nor infinite, (b,); true for an empty mask."""
    kept = filled(values, valid, 0.0).flatten(1)
    return kept.amin(1).isfinite() & kept.amax(1).isfinite()  # both are NaN where any is


def largest(values: Map, valid: Mask) -> PerImage:
    """Largest of the valid pixels of each image, (b,) float64; NaN for an empty mask or NaN inside it."""
    top = filled(values, valid, -torch.inf).flatten(1).amax(1).double()
    return torch.where(count(valid) == 0, torch.nan, top)


def median(values: Map, valid: Mask) -> PerImage:
    """Median over the valid pixels of each image, the mean of the two middle values where their count is even.

    Args:
        values: (b, 1, h, w); NaN inside the mask makes the result NaN.
        valid: (b, 1, h, w).

    Returns:
        (b,) float64; NaN for an empty mask. (`torch.nanmedian` would return the lower of the two middle values.)

    >>> median(torch.tensor([4.0, 1.0, 2.0, 3.0]).reshape(1, 1, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool))
    tensor([2.5000], dtype=torch.float64)
    """
    return quantile(values, valid, 0.5)


def lower_median(values: Map, valid: Mask) -> PerImage:
    """Median over the valid pixels of each image, the lower of the two middle values where their count is even.

    Args:
        values: (b, 1, h, w); NaN inside the mask makes the result NaN.
        valid: (b, 1, h, w).

    Returns:
        (b,) float64; NaN for an empty mask.

    >>> lower_median(torch.tensor([4.0, 1.0, 2.0, 3.0]).reshape(1, 1, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool))
    tensor([2.], dtype=torch.float64)
    """
    lower, _ = _at_rank(values, valid, (count(valid) - 1).clamp_min(0) // 2)
    return lower.double()


def quantile(values: Map, valid: Mask, q: float) -> PerImage:
    """Quantile over the valid pixels of each image, linear between neighbouring values (numpy's default).

    Args:
        values: (b, 1, h, w); NaN inside the mask makes the result NaN.
        valid: (b, 1, h, w).
        q: between 0 and 1.

    Returns:
        (b,) float64; NaN for an empty mask.

    >>> quantile(torch.tensor([4.0, 1.0, 2.0, 3.0]).reshape(1, 1, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool), 0.05)
    tensor([1.1500], dtype=torch.float64)
    """
    position = (count(valid) - 1).clamp_min(0).double() * q
    rank = position.floor()
    lower, following = _at_rank(values, valid, rank.long())
    weight = position - rank
    upper = torch.where(weight == 0, lower, following)
    return torch.where(upper == lower, lower, lower.double() + weight * (upper.double() - lower.double()))


def _at_rank(values: Map, valid: Mask, rank: Int[Tensor, " b"]) -> tuple[PerImage, PerImage]:
    """Return the valid value of that rank (from 0) and the next; NaN for an empty mask or NaN inside it."""
    # infinity outside the mask comes after every rank that is asked for
    kept = filled(values, valid, torch.inf).flatten(1)
    # amax is NaN where any value is
    broken = kept.amax(1).isnan() | (count(valid) == 0)
    lower, following = (torch.where(broken, torch.nan, value) for value in neighbours(kept, rank))
    return lower, following
