import numpy as np
import pytest
import torch

from src.alignment.functional import scale
from tests.reference import alignment as reference


def batch(*arrays):
    return [torch.from_numpy(np.asarray(array))[:, None] for array in arrays]


SOLVERS = [
    scale.ratio_of_medians,
    scale.ratio_of_lower_medians,
    scale.median_of_ratios,
    scale.least_squares,
    scale.least_absolute,
]


def test_medians_and_least_squares_equal_the_references(scene):
    for solver, expected in (
        (scale.ratio_of_medians, reference.median_scale),
        (scale.ratio_of_lower_medians, reference.lower_median_scale),
        (scale.median_of_ratios, reference.median_of_ratios),
        (scale.least_squares, reference.least_squares_scale),
    ):
        found = solver(*batch(*scene))
        np.testing.assert_allclose(found, [expected(*image) for image in zip(*scene, strict=True)], rtol=1e-12)


def test_weighted_least_squares_equals_the_reference(scene):
    weight = 1 / scene[1].astype(np.float64) ** 2
    found = scale.least_squares(*batch(*scene), *batch(weight))
    expected = [reference.least_squares_scale(*image) for image in zip(*scene, weight, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_least_absolute_reaches_the_minimum_that_trying_every_ratio_finds(rng):
    prediction, target = rng.normal(size=(2, 4, 5, 6)).astype(np.float32)
    prediction[0, 0, :3] = 0
    valid = rng.random(target.shape) < 0.6
    weight = rng.uniform(0.1, 2, target.shape)
    found = scale.least_absolute(*batch(prediction, target, valid, weight))
    images = zip(prediction, target, valid, weight, strict=True)
    np.testing.assert_allclose(found, [reference.least_absolute_scale(*image) for image in images], rtol=1e-12)


def test_least_absolute_by_hand():
    # ratios 1, 2, 10 with weights 1, 1, 1: the middle one
    prediction, target = torch.tensor([[[[1.0, 1.0, 1.0]]]]), torch.tensor([[[[2.0, 10.0, 1.0]]]])
    valid = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    assert scale.least_absolute(prediction, target, valid).tolist() == [2]
    assert scale.least_absolute(prediction, target, valid, torch.tensor([[[[1.0, 5.0, 1.0]]]])).tolist() == [10]


def test_median_of_ratios_is_not_the_ratio_of_medians():
    prediction, target = torch.tensor([[[[1.0, 2.0, 4.0]]]]), torch.tensor([[[[8.0, 2.0, 4.0]]]])
    valid = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    assert scale.median_of_ratios(prediction, target, valid).tolist() == [1]
    assert scale.ratio_of_medians(prediction, target, valid).tolist() == [2]


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_pixel_gives_its_ratio(solver):
    one = torch.ones(1, 1, 1, 1)
    assert solver(2 * one, 5 * one, one.bool()).tolist() == [2.5]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_constant_prediction_of_a_constant_target_gives_their_ratio(solver):
    one = torch.ones(1, 1, 2, 3)
    assert solver(-2 * one, 5 * one, one.bool()).tolist() == [-2.5]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_prediction_of_zero_has_no_finite_scale(solver):
    one = torch.ones(1, 1, 2, 3)
    assert not solver(0 * one, one, one.bool()).isfinite().any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_empty_mask_and_a_nan_inside_give_nan_and_a_nan_outside_nothing(solver):
    values = torch.tensor([[1.0, torch.nan], [1.0, torch.nan], [1.0, 3.0]]).reshape(3, 1, 1, 2)
    valid = torch.tensor([[True, False], [True, True], [False, False]]).reshape(3, 1, 1, 2)
    found = solver(values, torch.full_like(values, 2.0), valid)
    assert found[0] == 2
    assert found[1:].isnan().all()
