"""The median of numbers that come in parts is that of all of them, to the bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.streamed_order import medians

numbers = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=60)


@given(numbers, st.integers(1, 7))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_parts_have_the_median_of_the_whole(values, size):
    whole = np.array(values, np.float32)
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    ordered = np.sort(whole).astype(np.float64)
    low, high = ordered[(len(whole) - 1) // 2], ordered[len(whole) // 2]

    assert medians(lambda: iter(parts), lower=True) == low
    assert medians(lambda: iter(parts)) == (low if low == high else low + 0.5 * (high - low))


def test_nothing_and_nan_have_none():
    assert math.isnan(medians(lambda: iter([])))
    assert math.isnan(medians(lambda: iter([np.float32([1, np.nan, 2])])))
    assert medians(lambda: iter([np.float32([-0.0, 0.0, -1.0])])) == pytest.approx(0.0, abs=0)
    assert medians(lambda: iter([np.float32([np.inf, 1, 2])])) == 2
