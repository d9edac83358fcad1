import math

import numpy as np
import pytest
import torch

from src.core.errors import ConfigError
from src.metrics.functional.canny import canny
from src.metrics.functional.ibims import edge_distances, ibims_edges, log_depth_edges
from src.metrics.ibims import (
    DDE0,
    DBEAccuracy,
    DBECompleteness,
    DDEMinus,
    DDEPlus,
    EdgeAccuracy,
    EdgeCompleteness,
    PEFlatness,
    PEOrientation,
)
from src.metrics.mean import MeanError
from tests.reference import ibims as reference

HEIGHT, WIDTH = 40, 50


@pytest.fixture
def relief():
    """Depth in metres with steps of several heights, straight and slanted, under mild noise, (2, 40, 50)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    first = 2 + 3 * (columns > 20) + 1.0 * (rows + 0.5 * columns > 40)
    second = 4 + 0.02 * rows - 1.5 * ((rows - 20) ** 2 + (columns - 25) ** 2 < 120)
    return np.stack([first, second]) + rng.normal(0, 0.03, (2, HEIGHT, WIDTH))


@pytest.fixture
def edges(relief):
    """Annotated edges: where the noise-free relief steps, more or less, (2, 1, 40, 50)."""
    found = np.stack([canny(depth, sigma=1.0, low=1.0, high=3.0) for depth in relief])
    found[:, :, ::7] = False
    return torch.tensor(found)[:, None]


@pytest.mark.parametrize(("sigma", "low", "high"), [(math.sqrt(2), 0.1, 0.2), (1.0, 0.3, 1.0), (0.7, 1.0, 3.0)])
def test_canny_equals_the_definition_pixel_by_pixel(sigma, low, high, relief):
    for image in relief:
        found = canny(image, sigma=sigma, low=low, high=high)
        assert np.array_equal(found, reference.canny(image, sigma, low, high))
        assert 10 < found.sum() < 600


def step(size, height=1.0):
    """A step up at column 6, whose middle value lies on that column, so that the steepest pixel is no tie."""
    image = np.zeros((size, size))
    image[:, 6], image[:, 7:] = height / 2, height
    return image


def test_canny_finds_the_middle_of_a_step_and_nothing_else():
    expected = np.zeros((14, 14), dtype=bool)
    expected[1:-1, 6] = True
    assert np.array_equal(canny(step(14), sigma=math.sqrt(2)), expected)
    assert np.array_equal(canny(step(14).T, sigma=math.sqrt(2)), expected.T)


def test_canny_keeps_a_weak_edge_only_where_it_leads_to_a_strong_one():
    fading = step(14) * np.linspace(1, 0.4, 14)[:, None]
    assert canny(fading, sigma=0.5, low=0.5, high=3.0)[1:-1, 6].all()
    assert not canny(fading[7:], sigma=0.5, low=0.5, high=3.0).any()


def test_canny_sees_nothing_around_missing_values_nor_in_flat_or_tiny_images():
    image = step(20)
    image[15, 6] = np.nan
    column = canny(image, sigma=1.0)[:, 6]
    assert column[1:9].all()
    assert not column[11:].any()
    assert not canny(np.ones((8, 8)), sigma=1.0).any()
    assert not canny(np.ones((1, 1)), sigma=1.0).any()
    assert not canny(np.full((8, 8), np.inf), sigma=1.0).any()


def test_boundary_errors_equal_the_brute_force_reference(relief, edges, make_pair):
    pair = make_pair(relief, np.ones(relief.shape), edges=edges)
    for depth, true, accuracy, completeness in zip(
        relief, edges[:, 0].numpy(), DBEAccuracy().per_image(pair), DBECompleteness().per_image(pair), strict=True
    ):
        scaled = (depth - depth.min()) / (depth.max() - depth.min())
        found = reference.canny(scaled, math.sqrt(2), 0.1, 0.2)
        expected = reference.boundary_errors(found, true)
        assert (accuracy.item(), completeness.item()) == pytest.approx(expected, rel=1e-12)
        assert 0 < expected[0] < 10


def test_mdec_edge_errors_equal_the_brute_force_reference(relief, edges, make_pair):
    valid = np.random.default_rng(2).random(relief.shape) < 0.7
    pair = make_pair(relief, np.ones(relief.shape), valid, edges=edges)
    accuracy, completeness = EdgeAccuracy().per_image(pair), EdgeCompleteness().per_image(pair)
    for i, depth in enumerate(relief):
        found = reference.canny(np.log(depth), 1.0, 0.1, 0.2)
        expected = reference.boundary_errors(found, edges[i, 0].numpy() & valid[i])
        assert (accuracy[i].item(), completeness[i].item()) == pytest.approx(expected, rel=1e-12)


def test_dbe_is_blind_to_scale_and_shift_and_mdec_edges_to_scale(relief, edges, make_pair):
    before = make_pair(relief, np.ones(relief.shape), edges=edges)
    shifted = make_pair(3 * relief + 10, np.ones(relief.shape), edges=edges)
    scaled = make_pair(5 * relief, np.ones(relief.shape), edges=edges)
    for metric in (DBEAccuracy, DBECompleteness):
        torch.testing.assert_close(metric().per_image(shifted), metric().per_image(before))
    for metric in (EdgeAccuracy, EdgeCompleteness):
        torch.testing.assert_close(metric().per_image(scaled), metric().per_image(before))


def test_boundary_errors_worked_out_by_hand():
    true, found = np.zeros((2, 1, 40), dtype=bool)
    true[0, [5, 30]] = True
    found[0, [8, 14, 15, 16]] = True
    # 8 and 14 are within 10 pixels of 5, 15 is exactly 10 away and does not count
    assert edge_distances(found, true) == (np.mean([3, 9]), np.mean([3, 14]))


@pytest.mark.parametrize("found", [(), (39,)])
def test_no_predicted_edge_near_a_true_one_costs_ten_pixels(found):
    true, predicted = np.zeros((2, 1, 40), dtype=bool)
    true[0, 5], predicted[0, list(found)] = True, True
    assert edge_distances(predicted, true) == (10, 10)


def test_an_image_without_a_true_edge_is_undefined(relief, make_pair):
    pair = make_pair(relief, np.ones(relief.shape), edges=torch.zeros(2, 1, HEIGHT, WIDTH, dtype=torch.bool))
    for metric in (DBEAccuracy, DBECompleteness, EdgeAccuracy, EdgeCompleteness):
        assert metric.may_be_undefined
        assert metric().per_image(pair).isnan().all()


def test_constant_missing_or_infinite_depth_has_no_edges():
    assert not ibims_edges(np.full((20, 20), 3.0)).any()
    assert not ibims_edges(np.zeros((20, 20))).any()
    assert not ibims_edges(np.full((20, 20), np.inf)).any()
    assert not log_depth_edges(np.zeros((20, 20))).any()


def test_missing_edges_are_the_wrong_data_set(make_pair):
    with pytest.raises(ConfigError, match="expected data with edges"):
        DBEAccuracy().per_image(make_pair([[1.0, 2.0]], [[1.0, 2.0]]))


def test_sides_of_three_metres_worked_out_by_hand(make_pair):
    # on 3 m is near
    pair = make_pair(
        [[1.0, 3.0, 2.0, 9.0, 9.0, 3.1]],
        [[2.0, 3.0, 4.0, 2.0, 3.5, 3.0]],
        [[True, True, True, True, True, True]],
    )
    assert DDE0().per_image(pair).tolist() == [3 / 6]
    assert DDEMinus().per_image(pair).tolist() == [1 / 6]
    assert DDEPlus().per_image(pair).tolist() == [2 / 6]


def test_sides_add_up_on_valid_pixels_only(make_pair, random_maps):
    depth, target, valid = random_maps(seed=0)
    pair = make_pair(np.where(valid, depth, np.nan), target, valid)
    shares = torch.stack([metric().per_image(pair) for metric in (DDE0, DDEMinus, DDEPlus)])
    torch.testing.assert_close(shares.sum(0), torch.ones(3, dtype=torch.float64))
    valid[0] = False
    assert DDE0().per_image(make_pair(depth, target, valid)).isnan().tolist() == [True, False, False]


CAMERA = torch.tensor([[[60.0, 0.0, 24.0], [0.0, 55.0, 21.0], [0.0, 0.0, 1.0]]]).expand(2, 3, 3)
TILTED = np.array([0.6, 0.0, -0.8])
FRONTAL = np.array([0.0, 0.0, 1.0])


def plane_depth(normal, distance):
    """Depth of the plane normal . X = distance seen through CAMERA."""
    row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return distance / (normal[0] * (column - 24) / 60 + normal[1] * (row - 21) / 55 + normal[2])


@pytest.fixture
def room():
    """Two images: a tilted and a frontal plane side by side and a tiny third; then only the frontal one."""
    tilted, frontal = plane_depth(TILTED, -2.0), plane_depth(FRONTAL, 3.0)
    left = np.mgrid[:HEIGHT, :WIDTH][1] < 25
    target = np.stack([np.where(left, tilted, frontal), frontal])
    segments = np.stack([np.where(left, 1, 2), np.full(left.shape, 2)])
    segments[0, :3, :3] = 3
    segments[1, :5] = 0
    normals = np.stack([[TILTED, FRONTAL, FRONTAL], [np.full(3, np.nan), FRONTAL, np.full(3, np.nan)]])
    annotations = {
        "segments": torch.tensor(segments)[:, None],
        "plane_normals": torch.tensor(normals, dtype=torch.float32),
        "intrinsics": CAMERA,
    }
    return target, segments, normals, annotations


def test_planarity_equals_the_reference_per_plane_and_pools_over_planes(room, make_pair):
    target, segments, normals, annotations = room
    rng = np.random.default_rng(0)
    depth = 0.5 * target * rng.normal(1, 0.02, target.shape) + 0.1
    valid = rng.random(target.shape) < 0.8
    pair = make_pair(depth, target, valid, **annotations)
    single = pair.sample.depth[:, 0].double().numpy()
    expected = [
        [
            reference.plane_errors(
                depth[i], single[i], valid[i] & (segments[i] == k + 1), normals[i, k], fx=60, fy=55, cx=24.5, cy=21.5
            )
            for k in range(3)
        ]
        for i in range(2)
    ]
    for column, metric in enumerate((PEFlatness(), PEOrientation())):
        values = np.array(expected)[:, :, column]
        assert np.isfinite(values).tolist() == [[True, True, False], [False, True, False]]
        np.testing.assert_allclose(metric.per_image(pair), np.nanmean(values, axis=1), rtol=1e-6)
        assert metric.weight(pair).tolist() == [2, 1]
        mean = MeanError(metric)
        mean.update(pair.aligned, pair.sample)
        assert mean.compute().item() == pytest.approx(np.nanmean(values), rel=1e-6)


def test_true_planes_are_flat_and_well_oriented_at_any_scale(room, make_pair):
    target, _, _, annotations = room
    pair = make_pair(4 * target, target, **annotations)
    assert PEFlatness().per_image(pair).max() < 1e-4
    assert PEOrientation().per_image(pair).max() < 1e-4


def test_a_wall_predicted_frontal_is_flat_and_wrong_by_its_tilt(room, make_pair):
    _, _, _, annotations = room
    tilted = np.stack([plane_depth(TILTED, -2.0)] * 2)
    whole = annotations | {"segments": torch.ones(2, 1, HEIGHT, WIDTH, dtype=torch.int64)}
    pair = make_pair(np.full(tilted.shape, 2.0), tilted, **whole)
    assert PEOrientation().per_image(pair)[0].item() == pytest.approx(math.degrees(math.acos(0.8)), abs=1e-5)
    assert PEFlatness().per_image(pair)[0].item() == pytest.approx(0, abs=1e-5)


def test_an_image_without_planes_is_undefined_and_counts_for_nothing(make_pair):
    pair = make_pair(
        [[1.0, 2.0]],
        [[1.0, 2.0]],
        segments=torch.zeros(1, 1, 1, 2, dtype=torch.int64),
        plane_normals=torch.zeros(1, 0, 3),
        intrinsics=CAMERA[:1],
    )
    for metric in (PEFlatness(), PEOrientation()):
        assert metric.per_image(pair).isnan().all()
        assert metric.weight(pair).tolist() == [0]
