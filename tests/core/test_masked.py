import numpy as np
import pytest
import torch

from src.core import masked

REDUCTIONS = [masked.mean, masked.median, masked.largest]


def batch(array):
    return torch.from_numpy(np.asarray(array))[:, None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("q", [0.0, 0.05, 0.5, 0.77, 1.0])
def test_quantiles_equal_numpy(dtype, n, q, rng):
    values = rng.normal(size=(3, 2, n)).astype(dtype)
    values[0, :, ::2] = values[0, 0, 0]  # repeated values
    values[1] = np.round(values[1])
    values[2] *= 1e30
    valid = rng.random(values.shape) < 0.8
    valid[:, 0, 0] = True
    expected = [np.quantile(v[m].astype(np.float64), q) for v, m in zip(values, valid, strict=True)]
    found = masked.quantile(batch(values), batch(valid), q)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_extreme_values_are_ordered():
    values = [-np.inf, -3e38, -1.0, -1e-40, 0.0, 1e-40, 1.0, 3e38, np.inf]
    for position in range(len(values)):
        shuffled = torch.tensor(values[::-1], dtype=torch.float32).reshape(1, 1, 3, 3)
        found = masked.quantile(shuffled, torch.ones_like(shuffled, dtype=torch.bool), position / 8)
        assert found.item() == np.float32(values[position])


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("sign", [1, -1])
def test_nan_breaks_an_image_inside_the_mask_and_is_inert_outside(reduce, sign):
    bad = np.copysign(np.nan, sign)
    values = torch.tensor([[1.0, bad], [1.0, bad]]).reshape(2, 1, 1, 2)
    valid = torch.tensor([[True, True], [True, False]]).reshape(2, 1, 1, 2)
    assert reduce(values, valid).isnan().tolist() == [True, False]
    assert masked.all_finite(values, valid).tolist() == [False, True]


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_an_empty_mask_gives_nan(reduce):
    values = torch.ones(1, 1, 2, 2)
    assert reduce(values, values > 1).isnan().all()


def test_an_empty_mask_counts_and_adds_up_to_zero():
    values = torch.full((1, 1, 2, 2), torch.inf)
    nothing = torch.zeros_like(values, dtype=torch.bool)
    assert masked.count(nothing).tolist() == [0]
    assert masked.total(values, nothing).tolist() == [0]
    assert masked.all_finite(values, nothing).tolist() == [True]


def test_infinity_is_not_finite_but_has_a_median():
    values = torch.tensor([1.0, torch.inf, torch.inf]).reshape(1, 1, 1, 3)
    valid = torch.ones_like(values, dtype=torch.bool)
    assert masked.all_finite(values, valid).tolist() == [False]
    assert masked.median(values, valid).tolist() == [torch.inf]


def test_means_accumulate_in_double_precision():
    values = torch.full((1, 1, 1000, 1000), 0.1)
    found = masked.mean(values, torch.ones_like(values, dtype=torch.bool))
    np.testing.assert_allclose(found, [float(np.float32(0.1))], rtol=1e-12)


def test_counts_of_every_mask_size(rng):
    valid = rng.random((5, 30, 40)) < np.linspace(0, 1, 5)[:, None, None]
    assert masked.count(batch(valid)).tolist() == valid.sum((1, 2)).tolist()
