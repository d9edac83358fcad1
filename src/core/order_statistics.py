"""The value of a given rank without sorting: what medians and quantiles are made of."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_DIGIT = 16  # bits that one pass of the radix selection looks at
_DIGITS = 1 << _DIGIT


def neighbours(
    values: Float[Tensor, "b n"], rank: Int[Tensor, " b"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Return the value of that rank (from 0) in each row and the next in order, arbitrary after the last.

    NaN may come anywhere in the order. An accelerator is not waited for.

    >>> neighbours(torch.tensor([[4.0, 1.0, 3.0, 1.0]]), torch.tensor([1]))
    (tensor([1.]), tensor([3.]))
    """
    if values.device.type == "cpu":
        return _partitioned(values, rank)
    keys = _ordered_keys(values)
    key, is_repeated = _select(keys, rank)
    lower = _from_key(key)
    return lower, torch.where(is_repeated, lower, _from_key(_next_greater(keys, key)))


def _partitioned(
    values: Float[Tensor, "b n"], rank: Int[Tensor, " b"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Selection by numpy, which partitions on the CPU in half the time of torch's kthvalue."""
    pairs = np.empty((2, len(values)), dtype=values.numpy().dtype)
    for i, (row, k) in enumerate(zip(values.numpy(), rank.tolist(), strict=True)):
        parted = np.partition(row, k)
        pairs[:, i] = parted[k], parted[k + 1 :].min(initial=np.inf)
    lower, following = torch.from_numpy(pairs)
    return lower, following


def _ordered_keys(values: Float[Tensor, "b n"]) -> Int[Tensor, "b n"]:
    """Integers of the same width that sort as the floats do."""
    integer = torch.int64 if values.dtype == torch.float64 else torch.int32
    bits = values.contiguous().view(integer)
    return bits ^ ((bits >> _sign_bit(bits)) & torch.iinfo(integer).max)


def _from_key(keys: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    bits = keys ^ ((keys >> _sign_bit(keys)) & torch.iinfo(keys.dtype).max)
    return bits.view(torch.float64 if keys.dtype == torch.int64 else torch.float32)


def _sign_bit(keys: Tensor) -> int:
    return torch.iinfo(keys.dtype).bits - 1


def _select(keys: Int[Tensor, "b n"], rank: Int[Tensor, " b"]) -> tuple[Int[Tensor, " b"], Bool[Tensor, " b"]]:
    """Radix selection: the key of that rank (from 0) in each row, and whether the next in order equals it.

    Counts 16 bits at a time, so float32 is read twice, and needs no sort.
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
