"""Reductions over the valid pixels of each image, batched, in float64, without a host synchronisation.

Empty-mask rule of this module: an image without a valid pixel gives NaN.
Values outside the mask are inert, even NaN and infinity.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]

_DIGIT = 16  # bits that one pass of the radix selection looks at
_DIGITS = 1 << _DIGIT


def count(valid: Mask) -> Int[Tensor, " b"]:
    """Number of valid pixels of each image, (b,) int64."""
    # bytes add up some thirty times faster than booleans on the CPU
    return valid.flatten(1).view(torch.uint8).sum(1, dtype=torch.int32).long()


def filled(values: Map, valid: Mask, fill: float) -> Map:
    """The values with `fill` outside the mask; the values themselves where an image on the CPU is valid throughout.

    Selecting takes as long on the CPU as five arithmetic operations, and packed pixels are all valid.
    """
    if valid.device.type == "cpu" and count(valid).sum() == valid.numel():
        return values
    return torch.where(valid, values, fill)


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
    return filled(values, valid, 0.0).flatten(1).abs().amax(1).isfinite()


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
    n = count(valid)
    position = (n - 1).clamp_min(0).double() * q
    rank = position.floor()
    # infinity outside the mask comes after every rank that is asked for
    kept = filled(values, valid, torch.inf).flatten(1)
    keys = _ordered_keys(kept)
    key, is_repeated = _select(keys, rank.long())
    lower = _from_key(key)
    weight = position - rank
    upper = torch.where(is_repeated | (weight == 0), lower, _from_key(_next_greater(keys, key)))
    # amax is NaN where any value is
    broken = kept.amax(1).isnan() | (n == 0)
    between = torch.where(upper == lower, lower, lower.double() + weight * (upper.double() - lower.double()))
    return torch.where(broken, torch.nan, between)


def _ordered_keys(values: Float[Tensor, "b n"]) -> Int[Tensor, "b n"]:
    """Integers of the same width that sort as the floats do."""
    integer = torch.int64 if values.dtype == torch.float64 else torch.int32
    bits = values.contiguous().view(integer)
    return bits ^ ((bits >> _sign_bit(bits)) & torch.iinfo(integer).max)


def _from_key(keys: Int[Tensor, " b"]) -> PerImage:
    bits = keys ^ ((keys >> _sign_bit(keys)) & torch.iinfo(keys.dtype).max)
    return bits.view(torch.float64 if keys.dtype == torch.int64 else torch.float32)


def _sign_bit(keys: Tensor) -> int:
    return torch.iinfo(keys.dtype).bits - 1


def _select(keys: Int[Tensor, "b n"], rank: Int[Tensor, " b"]) -> tuple[Int[Tensor, " b"], Bool[Tensor, " b"]]:
    """Radix selection: the key of that rank (from 0) in each row, and whether the next in order equals it.

    Counts 16 bits at a time, so float32 is read twice; sorting takes ten times longer on the CPU.
    """
    rank = rank[:, None]
    result = torch.zeros_like(rank)
    weight = torch.ones((1, 1), dtype=torch.int32, device=keys.device).expand(keys.shape)
    for shift in range(_sign_bit(keys) + 1 - _DIGIT, -1, -_DIGIT):
        # flipping the sign bit puts negative keys first
        flip = _DIGITS >> 1 if shift + _DIGIT > _sign_bit(keys) else 0
        digit = ((keys >> shift) & (_DIGITS - 1)) ^ flip
        histogram = torch.zeros(len(keys), _DIGITS, dtype=torch.int32, device=keys.device)
        histogram.scatter_add_(1, digit.long(), weight)
        cumulative = histogram.cumsum(1)
        chosen = torch.searchsorted(cumulative, rank, right=True)
        equal = histogram.gather(1, chosen)
        rank = rank - cumulative.gather(1, chosen) + equal
        weight = weight * (digit == chosen.to(keys.dtype))
        result = (result << _DIGIT) | (chosen ^ flip)
    return result.to(keys.dtype).squeeze(1), (rank + 1 < equal).squeeze(1)


def _next_greater(keys: Int[Tensor, "b n"], key: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The least of the keys above `key` in each row; arbitrary where there is none."""
    # differences wrap around, so that read as unsigned numbers those of smaller keys are the largest
    least = torch.iinfo(keys.dtype).min
    above = ((keys - (key + 1)[:, None]) ^ least).amin(1)
    return (above ^ least) + key + 1
