import numpy as np
import pytest
import torch

from src.alignment.scale import LeastSquaresScale, MedianScale
from src.core.aligned import FittedIn
from src.core.prediction import OutputSpace
from tests.reference import alignment as reference

CASES = [(MedianScale(), reference.median_scale), (LeastSquaresScale(), reference.least_squares_scale)]


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
