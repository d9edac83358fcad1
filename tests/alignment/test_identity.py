import pytest
import torch

from src.alignment.identity import OrderOnly, Unaligned
from src.core.aligned import FittedIn
from src.core.prediction import OutputSpace


def test_depth_is_the_prediction_in_double_precision(scene, make_sample, make_prediction):
    values, target, valid = scene
    prediction = make_prediction(values, OutputSpace.METRIC_DEPTH)
    aligned = Unaligned().align(prediction, make_sample(target, valid))
    assert aligned.depth.dtype == torch.float64
    assert torch.equal(aligned.depth, prediction.values.double())
    assert aligned.scale.tolist() == [1, 1, 1]
    assert aligned.shift.tolist() == [0, 0, 0]
    assert aligned.fitted_in is FittedIn.NOTHING


def test_an_image_without_a_valid_pixel_is_nan(make_sample, make_prediction):
    sample = make_sample([[1.0, 2.0]], [[False, False]])
    aligned = Unaligned().align(make_prediction([[1.0, 2.0]], OutputSpace.METRIC_DEPTH), sample)
    assert aligned.depth.isnan().all()
    assert aligned.scale.isnan().all()
    assert aligned.shift.isnan().all()


def test_only_metric_depth_goes_unaligned():
    assert [space for space in OutputSpace if Unaligned().supports(space)] == [OutputSpace.METRIC_DEPTH]


def test_predictions_beyond_trust_become_zero_but_nan_stays(make_sample, make_prediction):
    values = [[-1.0, 0.0, 2.0, 300.0, float("nan")]]
    prediction = make_prediction(values, OutputSpace.METRIC_DEPTH)
    aligned = Unaligned(trusted=(0.0, 300.0)).align(prediction, make_sample([[1.0] * 5]))
    assert aligned.depth.flatten().tolist()[:4] == [0, 0, 2, 0]
    assert aligned.depth.flatten()[4].isnan()
    assert prediction.values.flatten().tolist()[:4] == [-1, 0, 2, 300]


@pytest.mark.parametrize("space", OutputSpace)
def test_order_only_grows_with_distance_in_every_space(space, make_sample, make_prediction):
    near, far = (3.0, 1.0) if space.is_disparity else (1.0, 3.0)
    aligned = OrderOnly().align(make_prediction([[near, far]], space), make_sample([[1.0, 1.0]]))
    assert aligned.depth.flatten()[0] < aligned.depth.flatten()[1]
    assert OrderOnly().supports(space)
