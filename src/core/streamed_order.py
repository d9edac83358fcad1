"""The value of a given rank among more numbers than fit into memory: exact, from counts that add up in any order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float32, Int64, UInt32

Parts = Callable[[], Iterator[Float32[np.ndarray, " n"]]]
"""Goes over the numbers part by part; called once for each look at them."""

_HALF: Final = 1 << 16
_SIGN: Final = np.uint32(1 << 31)


def medians(parts: Parts, *, lower: bool = False) -> float:
    """Return the median of all numbers, the mean of the two middle ones where their count is even.

    Two looks at the numbers: how many have each upper half of their 32 bits, and each lower half beside the right one.

    Args:
        parts: the numbers.
        lower: return the lower of the two middle ones instead.

    Returns:
        The median; NaN without a number or where one is NaN.

    >>> medians(lambda: iter([np.float32([4, 1]), np.float32([2, 3])]))
    2.5
    """
    upper_half, broken = np.zeros(_HALF, np.int64), False
    for part in parts():
        broken |= bool(np.isnan(part).any())
        upper_half += np.bincount(_keys(part) >> 16, minlength=_HALF)
    count = int(upper_half.sum())
    if broken or not count:
        return float("nan")
    ranks = [(count - 1) // 2] if lower else [(count - 1) // 2, count // 2]
    cumulative = upper_half.cumsum()
    buckets = [int(np.searchsorted(cumulative, rank, side="right")) for rank in ranks]
    lower_halves = _counts_within(parts, sorted(set(buckets)))
    found = []
    for rank, bucket in zip(ranks, buckets, strict=True):
        before = int(cumulative[bucket] - upper_half[bucket])
        low = int(np.searchsorted(lower_halves[bucket].cumsum(), rank - before, side="right"))
        found.append(float(_value(bucket << 16 | low)))
    first, last = found[0], found[-1]
    return first if first == last else first + 0.5 * (last - first)


def _counts_within(parts: Parts, buckets: Sequence[int]) -> dict[int, Int64[np.ndarray, " k"]]:
    """Count the lower halves of the keys whose upper half is one of these."""
    counts = {bucket: np.zeros(_HALF, np.int64) for bucket in buckets}
    for part in parts():
        keys = _keys(part)
        for bucket, counted in counts.items():
            inside = keys[keys >> 16 == bucket]
            counted += np.bincount(inside & np.uint32(_HALF - 1), minlength=_HALF)
    return counts


def _keys(values: Float32[np.ndarray, " n"]) -> UInt32[np.ndarray, " n"]:
    """Whole numbers that sort as the floats do; -0 and 0 are one."""
    bits = (np.ascontiguousarray(values) + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(key: int) -> np.float32:
    bits = np.uint32(key ^ int(_SIGN)) if key & int(_SIGN) else np.uint32(~key & 0xFFFFFFFF)
    return bits.view(np.float32)
