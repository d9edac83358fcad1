import numpy as np
import pytest
import torch

from src.alignment.functional import affine
from tests.reference import alignment as reference


def batch(*arrays):
    return [torch.from_numpy(np.asarray(array))[:, None] for array in arrays]


SOLVERS = [affine.least_squares, affine.least_absolute, affine.median_deviation]


@pytest.fixture
def images(rng):
    """Prediction, target, mask and weights of four images of which every other pixel is noise."""
    target = rng.uniform(0.5, 20, (4, 7, 9))
    prediction = np.where(rng.random(target.shape) < 0.5, 0.3 * target + 2, rng.uniform(0, 9, target.shape))
    valid = rng.random(target.shape) < 0.7
    return prediction.astype(np.float32), target.astype(np.float32), valid, rng.uniform(0.1, 2, target.shape)


def test_least_squares_equals_lstsq_and_the_normal_equations(images):
    prediction, target, valid, _ = images
    found = affine.least_squares(*batch(prediction, target, valid))
    for expected in (reference.least_squares_affine, reference.normal_equations_affine):
        wanted = [expected(*image) for image in zip(prediction, target, valid, strict=True)]
        np.testing.assert_allclose(torch.stack(found, 1), wanted, rtol=1e-9)
    found = affine.least_squares(*batch(*images))
    wanted = [reference.least_squares_affine(*image) for image in zip(*images, strict=True)]
    np.testing.assert_allclose(torch.stack(found, 1), wanted, rtol=1e-9)


def test_least_absolute_reaches_the_minimum_that_trying_every_line_finds(images):
    found = affine.least_absolute(*batch(*images))
    for i, image in enumerate(zip(*images, strict=True)):
        loss, scale, shift = reference.least_absolute_affine(*image)
        prediction, target, valid, weight = image
        residual = found[0][i].item() * prediction.astype(np.float64) + found[1][i].item() - target
        np.testing.assert_allclose((weight * np.abs(residual))[valid].sum(), loss, rtol=1e-12)
        np.testing.assert_allclose([found[0][i], found[1][i]], [scale, shift], rtol=1e-10)


def test_least_absolute_ignores_outliers_that_least_squares_follows():
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    y = 2 * x + 3
    y[0, 0, 0, 0] = 1000
    valid = torch.ones_like(x, dtype=torch.bool)
    np.testing.assert_allclose(torch.cat(affine.least_absolute(x, y, valid)), [2, 3], rtol=1e-14)
    assert affine.least_squares(x, y, valid)[0] < 0


@pytest.mark.parametrize("magnitude", [1e-30, 1e-6, 1e6, 1e30])
def test_least_absolute_at_any_magnitude(magnitude, images):
    prediction, target, valid, weight = images
    plain = affine.least_absolute(*batch(prediction.astype(np.float64), target, valid, weight))
    scaled = affine.least_absolute(*batch(prediction.astype(np.float64) * magnitude, target, valid, weight))
    np.testing.assert_allclose(scaled[0] * magnitude, plain[0], rtol=1e-9)
    np.testing.assert_allclose(scaled[1], plain[1], rtol=1e-9)


def test_median_deviation_equals_the_reference(images):
    prediction, target, valid, _ = images
    found = affine.median_deviation(*batch(prediction, target, valid))
    wanted = [reference.median_deviation_affine(*image) for image in zip(prediction, target, valid, strict=True)]
    np.testing.assert_allclose(torch.stack(found, 1), wanted, rtol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_affine_target_is_recovered(solver, images):
    prediction, _, valid, _ = images
    target = 4 * prediction.astype(np.float64) - 7
    scale, shift = solver(*batch(prediction, target, valid))
    np.testing.assert_allclose(scale, np.full(4, 4.0), rtol=1e-12)
    np.testing.assert_allclose(shift, np.full(4, -7.0), rtol=1e-12)


@pytest.mark.parametrize("solver", [affine.least_squares, affine.least_absolute])
def test_a_falling_prediction_gets_a_negative_scale(solver, images):
    _, target, valid, _ = images
    falling, _ = solver(*batch(-target, target, valid))
    np.testing.assert_allclose(falling, np.full(4, -1.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("solver", "fitted"), [(affine.least_squares, 4), (affine.least_absolute, 2), (affine.median_deviation, 2)]
)
def test_a_constant_prediction_has_scale_zero(solver, fitted):
    prediction, target = torch.full((1, 1, 1, 3), 7.1), torch.tensor([9.0, 1.0, 2.0]).reshape(1, 1, 1, 3)
    found = solver(prediction, target, torch.ones(1, 1, 1, 3, dtype=torch.bool))
    np.testing.assert_allclose(torch.cat(found), [0, fitted], rtol=1e-15)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_pixel_and_an_all_equal_target_have_scale_zero(solver):
    one = torch.ones(1, 1, 1, 1)
    assert torch.cat(solver(3 * one, 5 * one, one.bool())).tolist() == [0, 5]
    rising, level = torch.arange(4.0).reshape(1, 1, 2, 2), torch.full((1, 1, 2, 2), 5.0)
    np.testing.assert_allclose(torch.cat(solver(rising, level, level.bool())), [0, 5], atol=1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_an_empty_mask_and_a_bad_value_inside_give_nan_and_one_outside_nothing(solver, bad):
    values = torch.tensor([[1.0, 2.0, bad], [1.0, 2.0, bad], [1.0, 2.0, 3.0]]).reshape(3, 1, 1, 3)
    valid = torch.tensor([[True, True, False], [True, True, True], [False] * 3]).reshape(3, 1, 1, 3)
    target = torch.tensor([3.0, 5.0, 7.0]).expand(3, 1, 1, 3)
    scale, shift = solver(values, target, valid)
    np.testing.assert_allclose([scale[0], shift[0]], [2, 1], rtol=1e-12)
    assert scale[1:].isnan().all()
    assert shift[1:].isnan().all()


def test_offset_heavy_predictions_keep_their_digits(rng):
    target = rng.uniform(1, 10, (1, 40, 50))
    prediction = (5 + 1e-3 * (target - 5.5) / 4.5).astype(np.float32)
    valid = np.ones(target.shape, dtype=bool)
    found = torch.cat(affine.least_squares(*batch(prediction, target, valid)))
    np.testing.assert_allclose(found, reference.least_squares_affine(prediction[0], target[0], valid[0]), rtol=1e-9)


@pytest.mark.parametrize("value", [1e-30, 3.7, 1e30])
def test_rounding_is_not_mistaken_for_contrast(value, rng):
    target = rng.uniform(1, 10, (1, 40, 50))
    prediction = np.full(target.shape, value, dtype=np.float32)
    scale, shift = affine.least_squares(*batch(prediction, target, np.ones(target.shape, dtype=bool)))
    assert scale.tolist() == [0]
    np.testing.assert_allclose(shift, [target.mean()], rtol=1e-12)
