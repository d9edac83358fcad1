"""Reductions over the valid pixels of each image, batched, in float64, without a host synchronisation.

Empty-mask rule of this module: an image without a valid pixel gives NaN.
Values outside the mask are inert, even NaN and infinity.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def count(valid: Bool[Tensor, "b 1 h w"]) -> Int[Tensor, " b"]:
    """Number of valid pixels of each image, (b,) int64."""
    # bytes add up some thirty times faster than booleans on the CPU
    return valid.flatten(1).view(torch.uint8).sum(1, dtype=torch.int32).long()


def mean(values: Float[Tensor, "b 1 h w"], valid: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
    """Mean over the valid pixels of each image, (b,) float64; NaN for an empty mask.

    >>> valid = torch.tensor([True, True, False]).reshape(1, 1, 1, 3)
    >>> mean(torch.tensor([1.0, 2.0, torch.nan]).reshape(1, 1, 1, 3), valid)
    tensor([1.5000], dtype=torch.float64)
    """
    kept = torch.where(valid, values.double(), 0.0).flatten(1)
    return kept.sum(1) / count(valid)


def largest(values: Float[Tensor, "b 1 h w"], valid: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
    """Largest of the valid pixels of each image, (b,) float64; NaN for an empty mask or NaN inside it."""
    top = torch.where(valid, values, -torch.inf).flatten(1).amax(1).double()
    return torch.where(count(valid) == 0, torch.nan, top)


def median(values: Float[Tensor, "b 1 h w"], valid: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
    """Median over the valid pixels of each image, the mean of the two middle values where their count is even.

    Args:
        values: (b, 1, h, w); NaN inside the mask makes the result NaN.
        valid: (b, 1, h, w).

    Returns:
        (b,) float64; NaN for an empty mask. (`torch.nanmedian` would return the lower of the two middle values.)

    >>> median(torch.tensor([4.0, 1.0, 2.0, 3.0]).reshape(1, 1, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool))
    tensor([2.5000], dtype=torch.float64)
    """
    n = count(valid)
    # float32 orders exactly as its float64 image does, and sorts faster
    ordered = torch.where(valid, values, torch.inf).flatten(1).sort(1).values
    lower = ordered.gather(1, ((n - 1) // 2).clamp_min(0)[:, None])
    upper = ordered.gather(1, (n // 2).clamp_max(ordered.shape[1] - 1)[:, None])
    middle = (0.5 * (lower.double() + upper.double())).squeeze(1)
    broken = torch.where(valid, values.isnan(), False).flatten(1).any(1) | (n == 0)
    return torch.where(broken, torch.nan, middle)
