import numpy as np
import pytest
import torch

from src.core import order_statistics
from src.core.order_statistics import neighbours


def radix(values, rank):
    """What runs on an accelerator, on the CPU."""
    keys = order_statistics._ordered_keys(values)
    key, is_repeated = order_statistics._select(keys, rank)
    lower = order_statistics._from_key(key)
    following = order_statistics._from_key(order_statistics._next_greater(keys, key))
    return lower, torch.where(is_repeated, lower, following)


@pytest.mark.parametrize("select", [neighbours, radix])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_neighbours_are_those_of_the_sorted_row(select, dtype, n):
    generator = torch.Generator().manual_seed(n)
    values = torch.randn(4, n, generator=generator, dtype=dtype)
    values[1, ::2] = values[1, 0]
    values[2] *= 1e30
    values[3] = values[3].round()
    ordered = values.sort(1).values
    for rank in {0, min(n // 2, n - 2), n - 2}:
        lower, following = select(values, torch.full((4,), rank))
        assert torch.equal(lower, ordered[:, rank])
        assert torch.equal(following, ordered[:, rank + 1])


@pytest.mark.parametrize("select", [neighbours, radix])
def test_each_row_has_a_rank_of_its_own(select):
    values = torch.tensor([[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0]])
    lower, following = select(values, torch.tensor([0, 1]))
    assert lower.tolist() == [1, -2]
    assert following.tolist() == [2, -1]


@pytest.mark.parametrize("select", [neighbours, radix])
def test_extreme_values_are_ordered(select):
    values = [-np.inf, -3e38, -1.0, -1e-40, 0.0, 1e-40, 1.0, 3e38, np.inf]
    shuffled = torch.tensor([values[::-1]], dtype=torch.float32)
    for rank in range(len(values) - 1):
        lower, following = select(shuffled, torch.tensor([rank]))
        assert lower.item() == np.float32(values[rank])
        assert following.item() == np.float32(values[rank + 1])


@pytest.mark.parametrize("select", [neighbours, radix])
def test_inputs_are_left_untouched(select):
    values = torch.tensor([[3.0, 1.0, 2.0]])
    select(values, torch.tensor([1]))
    assert values.tolist() == [[3, 1, 2]]
