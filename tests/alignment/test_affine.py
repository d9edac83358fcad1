import numpy as np
import pytest
import torch

from src.alignment.affine import AffineDepth, AffineDisparity, AffineLogDepth
from src.alignment.selection import NearestGrid, Positive, QuantileBand
from src.core.aligned import FittedIn
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


@pytest.mark.parametrize(
    "keywords", [{"floor": "beyond"}, {"floor": 0.001, "solver": "best"}, {"floor": 0.001, "weighting": "cubic"}]
)
def test_a_name_that_does_not_exist_is_refused_with_those_that_do(keywords):
    with pytest.raises(ConfigError, match=r"expected (a number > 0 in 1/m or )?one of \w+, \w+.*, got"):
        AffineDisparity(**keywords)


def test_a_solver_without_weights_refuses_them():
    with pytest.raises(ConfigError, match="weighting: expected uniform, since solver=median_deviation has no weights"):
        AffineDepth(solver="median_deviation", weighting="inverse_depth")


@pytest.mark.parametrize("alignment", [AffineDepth(), AffineDisparity(floor=0.001)])
def test_an_image_without_a_valid_pixel_is_nan(alignment, make_sample, make_prediction):
    aligned = alignment.align(make_prediction([[1.0, 2.0]]), make_sample([[1.0, 2.0]], [[False, False]]))
    for values in (aligned.depth, aligned.scale, aligned.shift):
        assert values.isnan().all()


def test_the_two_affine_spaces_are_never_scored_as_each_other():
    assert not AffineDepth().supports(OutputSpace.AFFINE_DISPARITY)
    assert not AffineDisparity(floor=0.001).supports(OutputSpace.AFFINE_DEPTH)


@pytest.mark.parametrize("solver", ["least_squares", "least_absolute", "median_deviation"])
def test_every_solver_recovers_an_affine_prediction(solver, scene, make_sample, make_prediction):
    _, target, valid = scene
    sample = make_sample(target, valid)
    aligned = AffineDepth(solver=solver).align(make_prediction(target / 4 - 3), sample)
    np.testing.assert_allclose(aligned.depth[:2, 0], target[:2], rtol=1e-5)
    disparity = make_prediction(8 / target + 1, OutputSpace.AFFINE_DISPARITY)
    aligned = AffineDisparity(solver=solver, floor=0.001).align(disparity, sample)
    np.testing.assert_allclose(aligned.depth[:2, 0], target[:2], rtol=1e-4)


def test_weights_are_those_of_true_depth(scene, make_sample, make_prediction):
    values, target, valid = scene
    aligned = AffineDepth(weighting="inverse_square_depth").align(make_prediction(values), make_sample(target, valid))
    for i in range(2):
        scale, shift = reference.least_squares_affine(values[i], target[i], valid[i], 1 / target[i].astype(float) ** 2)
        np.testing.assert_allclose([aligned.scale[i], aligned.shift[i]], [scale, shift], rtol=1e-9)


def test_the_fit_may_use_fewer_pixels_than_the_score(scene, make_sample, make_prediction):
    values, target, valid = scene
    alignment = AffineDepth(fit_on=QuantileBand(lower=0.05, upper=0.95))
    aligned = alignment.align(make_prediction(values), make_sample(target, valid))
    for i in range(2):
        kept = reference.percentile_band(values[i], valid[i], 5, 95)
        scale, shift = reference.least_squares_affine(values[i], target[i], kept)
        np.testing.assert_allclose([aligned.scale[i], aligned.shift[i]], [scale, shift], rtol=1e-9)
    assert not alignment.needs_grid
    assert AffineDepth(fit_on=NearestGrid(cells=8)).needs_grid


def test_a_negative_scale_falls_back_to_the_median(scene, make_sample, make_prediction):
    _, target, valid = scene
    values = np.stack([30 - target[0], target[1], target[2]])
    sample = make_sample(target, valid)
    kept = AffineDepth().align(make_prediction(values), sample)
    aligned = AffineDepth(median_if_negative=True).align(make_prediction(values), sample)
    assert kept.scale[0] < 0
    np.testing.assert_allclose(
        aligned.scale[0], reference.lower_median_scale(values[0], target[0], valid[0]), rtol=1e-12
    )
    assert aligned.shift[0] == 0
    np.testing.assert_allclose(aligned.scale[1:], kept.scale[1:], rtol=0)


def test_disparity_is_inverted_on_request_only(make_sample, make_prediction):
    alignment = AffineDepth(invert_disparity=True)
    assert alignment.supports(OutputSpace.AFFINE_DISPARITY)
    prediction = make_prediction([[1.0, 0.5, 0.25, 0.0]], OutputSpace.AFFINE_DISPARITY)
    aligned = alignment.align(prediction, make_sample([[3.0, 5.0, 9.0, 1.0]]))
    np.testing.assert_allclose(aligned.depth.flatten(), [3, 5, 9, 1], rtol=1e-12)


def test_midas_fits_a_constant_by_disparity_zero(make_sample, make_prediction):
    sample = make_sample([[2.0, 4.0]], depth_range=(0.0, 10.0))
    prediction = make_prediction([[3.0, 3.0]], OutputSpace.AFFINE_DISPARITY)
    mean = AffineDisparity(floor="farthest").align(prediction, sample)
    zero = AffineDisparity(floor="farthest", zero_if_constant=True).align(prediction, sample)
    np.testing.assert_allclose(mean.depth.flatten(), [8 / 3, 8 / 3], rtol=1e-12)
    assert zero.depth.flatten().tolist() == [10, 10]


@pytest.mark.parametrize("fit_on", [None, Positive()])
def test_midas_fits_a_level_target_by_its_disparity(fit_on, make_sample, make_prediction):
    # the scale is 0 here too, but the prediction has contrast: the normal equations of MiDaS are regular
    alignment = AffineDisparity(floor="farthest", zero_if_constant=True, fit_on=fit_on)
    level, plain = make_sample([[4.0, 4.0, 4.0]], depth_range=(0.0, 10.0)), make_sample([[2.0, 4.0, 4.0]])
    rising = make_prediction([[1.0, 2.0, 4.0]], OutputSpace.AFFINE_DISPARITY)
    np.testing.assert_allclose(alignment.align(rising, level).depth.flatten(), [4, 4, 4], rtol=1e-12)
    # what is not fitted has no say in what is constant
    partly = make_prediction([[-1.0, 3.0, 3.0]], OutputSpace.AFFINE_DISPARITY)
    assert (alignment.fit(partly, plain).shift == 0).item() == (fit_on is not None)


def test_log_depth_is_fitted_by_a_power_law(scene, make_sample, make_prediction):
    _, target, valid = scene
    aligned = AffineLogDepth().align(
        make_prediction(3 * target**0.5, OutputSpace.METRIC_DEPTH), make_sample(target, valid)
    )
    np.testing.assert_allclose(aligned.scale[:2], 2, rtol=1e-5)
    np.testing.assert_allclose(aligned.shift[:2], -2 * np.log(3), rtol=1e-5)
    np.testing.assert_allclose(aligned.depth[:2, 0], target[:2], rtol=1e-5)
    assert aligned.fitted_in is FittedIn.LOG_DEPTH


def test_what_has_no_logarithm_is_not_repaired(make_sample, make_prediction):
    aligned = AffineLogDepth().align(make_prediction([[1.0, 0.0]], OutputSpace.METRIC_DEPTH), make_sample([[1.0, 2.0]]))
    assert aligned.depth.isnan().all()
    assert not AffineLogDepth().supports(OutputSpace.AFFINE_DEPTH)


def test_a_nan_on_a_valid_pixel_breaks_its_own_image_only(scene, make_sample, make_prediction):
    values, target, valid = scene
    valid[0, 0, 0] = True
    values[0, 0, 0] = np.nan
    valid[1, 0, 0] = False
    values[1, 0, 0] = np.nan
    aligned = AffineDepth().align(make_prediction(values), make_sample(target, valid))
    assert aligned.scale.isnan().tolist() == [True, False, False]
    assert torch.isfinite(aligned.depth[1][torch.tensor(valid[1])[None]]).all()
