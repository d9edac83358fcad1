import numpy as np
import pytest
import torch

from src.alignment.scale import LeastAbsoluteScale, LeastSquaresScale, MedianOfRatios, MedianScale
from src.alignment.selection import NearestGrid
from src.core.aligned import FittedIn
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from tests.reference import alignment as reference

CASES = [
    (MedianScale(), reference.median_scale),
    (MedianScale(lower=True), reference.lower_median_scale),
    (MedianOfRatios(), reference.median_of_ratios),
    (LeastSquaresScale(), reference.least_squares_scale),
]


@pytest.mark.parametrize(("alignment", "expected"), CASES)
def test_equals_the_per_image_reference(alignment, expected, scene, make_sample, make_prediction):
    values, target, valid = scene
    sample = make_sample(target, valid)
    aligned = alignment.align(make_prediction(values, OutputSpace.SCALE_INVARIANT_DEPTH), sample)
    scales = [expected(*image) for image in zip(values, target, valid, strict=True)]
    np.testing.assert_allclose(aligned.scale, scales, rtol=1e-12)
    np.testing.assert_allclose(aligned.depth[:, 0], np.reshape(scales, (3, 1, 1)) * values, rtol=1e-12)
    assert aligned.shift.tolist() == [0, 0, 0]
    assert aligned.fitted_in is FittedIn.DEPTH


@pytest.mark.parametrize("alignment", [case[0] for case in CASES])
def test_an_image_without_a_valid_pixel_is_nan(alignment, make_sample, make_prediction):
    aligned = alignment.align(make_prediction([[1.0, 2.0]]), make_sample([[1.0, 2.0]], [[False, False]]))
    for values in (aligned.depth, aligned.scale, aligned.shift):
        assert values.isnan().all()


def test_a_negative_scale_is_kept(make_sample, make_prediction):
    aligned = MedianScale().align(make_prediction([[-1.0, -2.0]]), make_sample([[2.0, 4.0]]))
    assert aligned.scale.tolist() == [-2]
    assert aligned.depth.tolist() == [[[[2, 4]]]]


def test_an_unknown_shift_cannot_be_scaled_away():
    supported = {space for space in OutputSpace if MedianScale().supports(space)}
    assert supported == {OutputSpace.METRIC_DEPTH, OutputSpace.SCALE_INVARIANT_DEPTH}


def test_inputs_are_left_untouched(scene, make_sample, make_prediction):
    values, target, valid = scene
    prediction, sample = make_prediction(values), make_sample(target, valid)
    before = [prediction.values.clone(), sample.depth.clone(), sample.valid.clone()]
    for alignment, _ in CASES:
        alignment.align(prediction, sample)
    for tensor, copy in zip((prediction.values, sample.depth, sample.valid), before, strict=True):
        assert torch.equal(tensor, copy)


def test_moge_fits_the_pixels_of_a_coarse_grid_with_inverse_depth(scene, make_sample, make_prediction):
    values, target, valid = scene
    alignment = LeastAbsoluteScale(weighting="inverse_depth", fit_on=NearestGrid(cells=4))
    assert alignment.needs_grid
    aligned = alignment.align(make_prediction(values, OutputSpace.SCALE_INVARIANT_DEPTH), make_sample(target, valid))
    for i in range(3):
        cells = [cell for cell in reference.nearest_grid(valid[i], 4) if cell is not None]
        x, y = (np.array([[image[i][cell] for cell in cells]]) for image in (values, target))
        expected = reference.least_absolute_scale(x, y, np.ones(x.shape, dtype=bool), 1 / y)
        np.testing.assert_allclose(aligned.scale[i], expected, rtol=1e-12)


def test_weighted_scales_follow_their_weights(make_sample, make_prediction):
    prediction, sample = make_prediction([[1.0, 1.0]]), make_sample([[1.0, 4.0]])
    plain = LeastSquaresScale().align(prediction, sample)
    weighted = LeastSquaresScale(weighting="inverse_depth").align(prediction, sample)
    assert plain.scale.tolist() == [2.5]
    np.testing.assert_allclose(weighted.scale, [1.6], rtol=1e-12)


@pytest.mark.parametrize("alignment", [LeastSquaresScale, LeastAbsoluteScale])
def test_an_unknown_weighting_is_refused(alignment):
    with pytest.raises(ConfigError, match="weighting: expected one of uniform"):
        alignment(weighting="cubic")
