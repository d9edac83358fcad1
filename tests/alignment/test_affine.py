import numpy as np
import pytest
import torch

from src.alignment.affine import AffineDepth, AffineDisparity
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from tests.reference import alignment as reference


def test_depth_fit_equals_the_per_image_reference(scene, make_sample, make_prediction):
    values, target, valid = scene
    aligned = AffineDepth().align(make_prediction(values), make_sample(target, valid))
    for i in range(2):
        scale, shift = reference.least_squares_affine(values[i], target[i], valid[i])
        np.testing.assert_allclose(aligned.scale[i], scale, rtol=1e-10)
        np.testing.assert_allclose(aligned.shift[i], shift, rtol=1e-10)
        np.testing.assert_allclose(aligned.depth[i, 0], scale * values[i] + shift, rtol=1e-10)


def test_one_pixel_is_fitted_by_the_shift(scene, make_sample, make_prediction):
    values, target, valid = scene
    aligned = AffineDepth().align(make_prediction(values), make_sample(target, valid))
    assert aligned.scale[2] == 0
    assert aligned.shift[2] == target[2][valid[2]][0]


def test_disparity_fit_equals_the_per_image_reference(scene, make_sample, make_prediction):
    _, target, valid = scene
    disparity = (3 / target + 1 + 0.05 * np.sin(np.arange(target.size).reshape(target.shape))).astype(np.float32)
    prediction = make_prediction(disparity, OutputSpace.AFFINE_DISPARITY)
    aligned = AffineDisparity(floor=0.02).align(prediction, make_sample(target, valid))
    for i in range(2):
        expected = reference.affine_disparity_depth(disparity[i], target[i], valid[i], floor=0.02)
        np.testing.assert_allclose(aligned.depth[i, 0], expected, rtol=1e-9)


def test_depth_is_scored_in_disparity_through_its_inverse(scene, make_sample, make_prediction):
    _, target, valid = scene
    sample = make_sample(target, valid)
    prediction = make_prediction(7 * target, OutputSpace.SCALE_INVARIANT_DEPTH)
    aligned = AffineDisparity(floor=0.001).align(prediction, sample)
    np.testing.assert_allclose(aligned.depth[:2, 0], target[:2], rtol=1e-5)
    np.testing.assert_allclose(aligned.scale[:2], 7, rtol=1e-5)


def test_depth_that_has_no_disparity_is_not_repaired(make_sample, make_prediction):
    sample = make_sample([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [[True] * 3, [True, True, False]])
    sample = make_sample(sample.depth.reshape(2, 1, 3), sample.valid.reshape(2, 1, 3))
    values = np.array([[[1.0, 2.0, 0.0]], [[1.0, 2.0, -1.0]]])
    aligned = AffineDisparity(floor=0.001).align(make_prediction(values, OutputSpace.METRIC_DEPTH), sample)
    assert aligned.depth[0].isnan().all()
    np.testing.assert_allclose(aligned.depth[1, 0, 0, :2], [1, 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("floor", "expected"), [(0.1, 10), ("farthest", 50), ("deepest_target", 4), ("near", 0), ("fail", np.nan)]
)
def test_a_fitted_disparity_below_zero_follows_the_named_rule(floor, expected, make_sample, make_prediction):
    # exact on the valid pixels (s = 1, t = 0); the last pixel is predicted at disparity -1
    sample = make_sample([[1.0, 2.0, 4.0, 9.0]], [[True, True, True, False]], depth_range=(0.1, 50.0))
    prediction = make_prediction([[1.0, 0.5, 0.25, -1.0]], OutputSpace.AFFINE_DISPARITY)
    aligned = AffineDisparity(floor=floor).align(prediction, sample)
    np.testing.assert_allclose(aligned.depth.flatten(), [1, 2, 4, expected], rtol=1e-12)


def test_a_floor_at_the_farthest_depth_needs_one(make_sample, make_prediction):
    sample = make_sample([[1.0, 2.0]], depth_range=(1e-5, float("inf")))
    with pytest.raises(ConfigError, match="floor=farthest: expected a data variant with a finite farthest depth"):
        AffineDisparity(floor="farthest").align(make_prediction([[1.0, 0.5]], OutputSpace.AFFINE_DISPARITY), sample)


@pytest.mark.parametrize("floor", ["beyond", 0.0, -1.0])
def test_an_unknown_floor_lists_the_rules(floor):
    with pytest.raises(
        ConfigError, match=r"expected a number > 0 in 1/m or one of farthest, deepest_target, near, fail"
    ):
        AffineDisparity(floor=floor)


@pytest.mark.parametrize("alignment", [AffineDepth(), AffineDisparity(floor=0.001)])
def test_an_image_without_a_valid_pixel_is_nan(alignment, make_sample, make_prediction):
    aligned = alignment.align(make_prediction([[1.0, 2.0]]), make_sample([[1.0, 2.0]], [[False, False]]))
    for values in (aligned.depth, aligned.scale, aligned.shift):
        assert values.isnan().all()


def test_the_two_affine_spaces_are_never_scored_as_each_other():
    assert not AffineDepth().supports(OutputSpace.AFFINE_DISPARITY)
    assert not AffineDisparity(floor=0.001).supports(OutputSpace.AFFINE_DEPTH)


def test_offset_heavy_predictions_keep_their_digits(rng, make_sample, make_prediction):
    target = rng.uniform(1, 10, (1, 40, 50))
    values = (5 + 1e-3 * (target - 5.5) / 4.5).astype(np.float32)
    aligned = AffineDepth().align(make_prediction(values), make_sample(target))
    scale, _ = reference.least_squares_affine(values[0], target[0].astype(np.float32), np.ones((40, 50), dtype=bool))
    np.testing.assert_allclose(aligned.scale, [scale], rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1e-30, 3.7, 1e30])
def test_a_constant_prediction_gives_the_mean(value, rng, make_sample, make_prediction):
    target = rng.uniform(1, 10, (1, 40, 50))
    aligned = AffineDepth().align(make_prediction(np.full(target.shape, value)), make_sample(target))
    assert aligned.scale.tolist() == [0]
    np.testing.assert_allclose(aligned.depth, np.full((1, 1, 40, 50), target.mean()), rtol=1e-6)


def test_a_nan_on_a_valid_pixel_breaks_its_own_image_only(scene, make_sample, make_prediction):
    values, target, valid = scene
    valid[0, 0, 0] = True
    values[0, 0, 0] = np.nan
    valid[1, 0, 0] = False
    values[1, 0, 0] = np.nan
    aligned = AffineDepth().align(make_prediction(values), make_sample(target, valid))
    assert aligned.scale.isnan().tolist() == [True, False, False]
    assert torch.isfinite(aligned.depth[1][torch.tensor(valid[1])[None]]).all()
