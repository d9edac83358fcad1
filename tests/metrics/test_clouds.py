import numpy as np
import pytest
import torch

from src.core.errors import ConfigError
from src.metrics.clouds import Chamfer, FScore10, FScore20, cloud_distances
from src.metrics.functional.camera import points
from src.metrics.functional.clouds import f_score
from tests.reference import clouds as reference

METRICS = [Chamfer, FScore10, FScore20]
CAMERA = {"fx": 30.0, "fy": 28.0, "cx": 8.0, "cy": 5.5}


def camera(b):
    return torch.tensor([[[30.0, 0.0, 8.0], [0.0, 28.0, 5.5], [0.0, 0.0, 1.0]]]).expand(b, 3, 3)


@pytest.fixture
def surfaces():
    """A bumpy wall 2 m away and a prediction of it that is a few centimetres off, (2, 12, 17), and a mask."""
    rng = np.random.default_rng(0)
    target = (2 + 0.5 * rng.random((2, 12, 17))).astype(np.float32)
    return target * rng.normal(1, 0.05, target.shape), target, rng.random(target.shape) < 0.8


def test_equal_the_brute_force_reference(surfaces, make_pair):
    pair = make_pair(*surfaces, intrinsics=camera(2))
    for i, (depth, target, valid) in enumerate(zip(*surfaces, strict=True)):
        expected = reference.cloud_errors(*(reference.back_project(z, valid, **CAMERA) for z in (depth, target)))
        assert [metric().per_image(pair)[i].item() for metric in METRICS] == pytest.approx(expected, rel=1e-12)
        assert 10 < expected[1] < expected[2] < 100


def test_worked_out_by_hand(make_pair):
    # one ray along the optical axis and one 45 degrees to its right, 2 and 1 m deep; both predicted 0.15 m too deep
    ahead = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]])
    pair = make_pair([[2.15, 1.15]], [[2.0, 1.0]], intrinsics=ahead)
    assert Chamfer().per_image(pair).item() == pytest.approx(2 * (0.15 + 0.15 * np.sqrt(2)) / 2)
    assert FScore10().per_image(pair).item() == 0
    assert FScore20().per_image(pair).item() == pytest.approx(50)


def test_a_share_of_less_than_a_thousandth_is_not_averaged():
    far, near = np.full(5000, 1.0), np.zeros(5000)
    far[:4] = 0
    assert f_score(far, np.ones(5000), threshold=0.1) == pytest.approx(0.08)
    assert f_score(far, near, threshold=0.1) == pytest.approx(100 * 2 * 0.0008 / 1.0008)
    assert f_score(np.ones(3), np.ones(3), threshold=0.1) == 0


def test_a_distance_on_the_threshold_does_not_count():
    assert f_score(np.array([0.1, 0.09]), np.array([0.1, 0.09]), threshold=0.1) == 50


def test_a_perfect_prediction_is_at_distance_zero(surfaces, make_pair):
    _, target, valid = surfaces
    pair = make_pair(target, target, valid, intrinsics=camera(2))
    assert [metric().per_image(pair).tolist() for metric in METRICS] == [[0, 0], [100, 100], [100, 100]]


@pytest.mark.parametrize("metric", METRICS)
def test_values_outside_the_mask_are_inert_and_an_empty_mask_is_nan(metric, surfaces, make_pair):
    depth, target, valid = surfaces
    valid[1] = False
    expected = metric().per_image(make_pair(depth, target, valid, intrinsics=camera(2)))
    spoilt = np.where(valid, depth, np.nan)
    result = metric().per_image(make_pair(spoilt, target, valid, intrinsics=camera(2)))
    assert result[0] == expected[0]
    assert result.isnan().tolist() == [False, True]


@pytest.mark.parametrize("metric", METRICS)
def test_a_prediction_that_is_not_finite_gives_no_number(metric, surfaces, make_pair):
    depth, target, valid = surfaces
    depth[0, valid[0]] = np.inf
    assert metric().per_image(make_pair(depth, target, valid, intrinsics=camera(2))).isnan().tolist() == [True, False]


def test_trees_are_searched_once_for_all_metrics(surfaces, make_pair):
    pair = make_pair(*surfaces, intrinsics=camera(2))
    assert pair.once(cloud_distances) is pair.once(cloud_distances)


def test_missing_intrinsics_are_the_wrong_data_set(make_pair):
    with pytest.raises(ConfigError, match="expected data with intrinsics"):
        Chamfer().per_image(make_pair([[1.0]], [[1.0]]))


def test_points_project_back_onto_their_pixels():
    depth = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(0)) + 1
    skewed = torch.tensor([[[9.0, 0.5, 3.5], [0.0, 8.0, 2.5], [0.0, 0.0, 1.0]]]).expand(2, 3, 3)
    cloud = points(depth, skewed)
    pixel = torch.einsum("bij,bjhw->bihw", skewed.double(), cloud / depth)
    assert torch.equal(cloud[:, 2:], depth.double())
    torch.testing.assert_close(pixel[0, 0, 3], torch.arange(7, dtype=torch.float64) + 0.5)
    torch.testing.assert_close(pixel[1, 1, :, 4], torch.arange(5, dtype=torch.float64) + 0.5)
