"""Counting: what is true, and numbers on one side of a bound. On the CPU by numpy, which is faster there than torch."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def true(mask: Bool[Tensor, "b ..."]) -> Int[Tensor, " b"]:
    """Number of true values of each image, (b,) int64.

    >>> true(torch.tensor([[True, False, True]]))
    tensor([2])
    """
    if mask.device.type != "cpu":
        return mask.flatten(1).sum(1)
    return torch.from_numpy(np.array([np.count_nonzero(image) for image in mask.numpy()], dtype=np.int64))


def is_all_true(mask: Bool[Tensor, "b ..."]) -> bool:
    """Whether every value is true; on the CPU only.

    >>> is_all_true(torch.tensor([[True, False, True]]))
    False
    """
    return bool(mask.numpy().all())


def below(values: Float[Tensor, "b n"], bound: float) -> Float[Tensor, " b"]:
    """Number of values in each row that are less than the bound, (b,) float64; NaN is not.

    >>> below(torch.tensor([[1.0, 2.0, 3.0, torch.nan]]), 2.0)
    tensor([1.], dtype=torch.float64)
    """
    return _count(values, bound, torch.lt, np.less)


def at_most(values: Float[Tensor, "b n"], bound: float) -> Float[Tensor, " b"]:
    """Number of values in each row that are not greater than the bound, (b,) float64; NaN is greater.

    >>> at_most(torch.tensor([[1.0, 2.0, 3.0, torch.nan]]), 2.0)
    tensor([2.], dtype=torch.float64)
    """
    return _count(values, bound, torch.le, np.less_equal)


def _count(
    values: Float[Tensor, "b n"], bound: float, compare: Callable[..., Tensor], compare_on_host: np.ufunc
) -> Float[Tensor, " b"]:
    if values.device.type != "cpu":
        return compare(values, bound).sum(1).double()
    counts = [np.count_nonzero(compare_on_host(row, bound)) for row in values.numpy()]
    return torch.from_numpy(np.array(counts, dtype=np.float64))
