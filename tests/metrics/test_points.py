import dataclasses

import numpy as np
import pytest
import torch

from src.metrics.comparison import Comparison
from src.metrics.points import (
    FIT_CELLS,
    LocalPointDelta1,
    LocalPointRel,
    PointDelta1Affine,
    PointDelta1Scale,
    PointDelta1Shift,
    PointRelAffine,
    PointRelScale,
    PointRelShift,
    scenes,
)
from tests.reference import points as reference

PAIRS = {
    "shift": (PointRelShift, PointDelta1Shift),
    "scale": (PointRelScale, PointDelta1Scale),
    "affine": (PointRelAffine, PointDelta1Affine),
}
LOCAL = (LocalPointRel, LocalPointDelta1)
METRICS = [metric for pair in (*PAIRS.values(), LOCAL) for metric in pair]
CAMERA = {"fx": 14.0, "fy": 13.0, "cx": 5.0, "cy": 4.0}


def camera(b, factor=1.0):
    matrix = torch.tensor([[14.0 * factor, 0.0, 5.0], [0.0, 13.0 * factor, 4.0], [0.0, 0.0, 1.0]])
    return matrix.expand(b, 3, 3)


@pytest.fixture
def surfaces():
    """Predicted and true depth (2, 8, 10) and a mask, coarse enough that every pixel is a point of the fit."""
    rng = np.random.default_rng(0)
    target = rng.uniform(1, 5, (2, 8, 10)).astype(np.float32)
    depth = 0.6 * target * rng.lognormal(0, 0.2, target.shape) + 0.3
    return depth, target, rng.random(target.shape) < 0.8


def expected(fit, depth, target, valid):
    p, g = (reference.back_project(z, **CAMERA) for z in (depth, target))
    chosen, times = np.unique(reference.grid(valid, FIT_CELLS), return_counts=True)
    x, y = p[chosen], g[chosen]
    w = times / np.linalg.norm(y, axis=1)
    scale, shift = 1.0, 0.0
    if fit == "shift":
        shift = reference.best_shift(x, y, w)
    elif fit == "scale":
        scale = reference.best_scale(x, y, w)
    else:
        scale, shift = reference.best_scale_and_shift(x, y, w)
    inside = valid.ravel()
    return reference.relative(scale * p[inside] + shift, g[inside])


@pytest.mark.parametrize("fit", ["shift", "scale"])
def test_equal_the_exhaustive_reference(fit, surfaces, make_pair):
    pair = make_pair(*surfaces, intrinsics=camera(2))
    values = np.stack([metric().per_image(pair) for metric in PAIRS[fit]], axis=1)
    np.testing.assert_allclose(values, [expected(fit, *image) for image in zip(*surfaces, strict=True)], rtol=1e-9)
    assert (values[:, 0] > 0.05).all()
    assert (values[:, 1] < 1).all()


def test_scale_and_shift_equal_the_exhaustive_reference(surfaces, make_pair):
    small = [values[:, :5, :6] for values in surfaces]
    pair = make_pair(*small, intrinsics=camera(2))
    values = np.stack([metric().per_image(pair) for metric in PAIRS["affine"]], axis=1)
    np.testing.assert_allclose(values, [expected("affine", *image) for image in zip(*small, strict=True)], rtol=1e-9)


def test_a_fit_on_the_grid_of_a_larger_image_equals_the_reference(make_pair):
    rng = np.random.default_rng(1)
    target = rng.uniform(1, 5, (70, 130)).astype(np.float32)
    depth = 0.6 * target * rng.lognormal(0, 0.2, target.shape)
    valid = rng.random(target.shape) < 0.8
    pair = make_pair(depth, target, valid, intrinsics=camera(1))
    grid = reference.grid(valid, FIT_CELLS)
    assert pair.once(scenes)[0].grid.tolist() == grid.tolist()
    assert len(grid) < valid.sum()


def test_what_a_fit_leaves_open_changes_nothing_and_the_rest_does(surfaces, make_pair):
    depth, target, valid = surfaces
    before = make_pair(depth, target, valid, intrinsics=camera(2))
    doubled = make_pair(2 * depth, target, valid, intrinsics=camera(2))
    for fit in ("scale", "affine"):
        for metric in PAIRS[fit]:
            torch.testing.assert_close(metric().per_image(doubled), metric().per_image(before))
    assert (PointRelShift().per_image(doubled) != PointRelShift().per_image(before)).all()


@pytest.mark.parametrize("fit", PAIRS)
def test_a_perfect_prediction_has_no_error(fit, surfaces, make_pair):
    _, target, valid = surfaces
    pair = make_pair(target, target, valid, intrinsics=camera(2))
    relative, delta1 = (metric().per_image(pair) for metric in PAIRS[fit])
    assert relative.max() < 1e-12
    assert delta1.tolist() == [1, 1]


def test_a_wrong_camera_shows_although_depth_is_right(surfaces, make_pair):
    _, target, valid = surfaces
    pair = make_pair(target, target, valid, intrinsics=camera(2))
    wide = Comparison(dataclasses.replace(pair.aligned, intrinsics=camera(2, factor=0.5)), pair.sample)
    right = Comparison(dataclasses.replace(pair.aligned, intrinsics=camera(2)), pair.sample)
    assert PointRelScale().per_image(right).max() < 1e-12
    assert PointRelScale().per_image(wide).min() > 0.1


@pytest.fixture
def objects():
    """Two objects that fill half of a 40 x 60 image each, as labels; and its true depth."""
    rng = np.random.default_rng(3)
    labels = np.where(np.indices((40, 60))[1] < 30, 4, 9)
    return labels, rng.uniform(2, 4, (40, 60)).astype(np.float32)


def object_camera():
    return torch.tensor([[[50.0, 0.0, 30.0], [0.0, 50.0, 20.0], [0.0, 0.0, 1.0]]])


def test_every_object_is_fitted_alone(objects, make_pair):
    labels, target = objects
    # each object is exact up to its own scale; together they are not
    depth = np.where(labels == 4, 2.0, 0.5) * target
    annotations = {"segments": torch.tensor(labels)[None, None], "intrinsics": object_camera()}
    pair = make_pair(depth, target, **annotations)
    assert LocalPointRel().per_image(pair).max() < 1e-12
    assert LocalPointDelta1().per_image(pair).tolist() == [1]
    assert PointRelAffine().per_image(pair).min() > 0.1


def test_local_errors_are_relative_to_the_extent_of_the_object(objects, make_pair):
    labels, target = objects
    rng = np.random.default_rng(4)
    spoilt = rng.random(target.shape) < 0.1
    depth = np.where(spoilt, 1.5 * target, target)  # a minority, so that the fit is exact on the rest
    annotations = {"segments": torch.tensor(labels)[None, None], "intrinsics": object_camera()}
    p, g = (reference.back_project(z, fx=50, fy=50, cx=30, cy=20) for z in (depth, target))
    rows = []
    for label in (4, 9):
        member = labels.ravel() == label
        error, diameter = np.linalg.norm(p - g, axis=1)[member], np.ptp(g[member], axis=0).max()
        rows.append((np.mean(error / diameter), np.mean(error < 0.25 * diameter)))
    pair = make_pair(depth, target, **annotations)
    values = [metric().per_image(pair).item() for metric in LOCAL]
    assert values == pytest.approx(np.mean(rows, axis=0), rel=1e-9)
    assert values[0] > 0.01
    assert values[1] < 1


def test_only_large_labelled_objects_with_enough_points_count(objects, make_pair):
    labels, target = objects
    depth = np.where(labels == 4, target, target**2)
    labels[:, 30:] = 0
    first = make_pair(depth, target, segments=torch.tensor(labels)[None, None], intrinsics=object_camera())
    assert LocalPointRel().per_image(first).max() < 1e-12
    labels[24:] = 7  # leaves 720 pixels of label 4
    valid = np.ones(labels.shape, dtype=bool)
    valid[24:] = False  # and no valid one of label 7
    pair = make_pair(depth, target, valid, segments=torch.tensor(labels)[None, None], intrinsics=object_camera())
    for metric in LOCAL:
        assert metric.may_be_undefined
        assert metric().per_image(pair).isnan().all()


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_mask_and_a_prediction_that_is_not_finite_are_nan(metric, surfaces, make_pair):
    depth, target, valid = (np.concatenate([values, values[:1]]) for values in surfaces)
    valid[0] = False
    depth[1, valid[1]] = np.inf
    labels = torch.ones(3, 1, 8, 10, dtype=torch.int64)
    pair = make_pair(depth, target, valid, intrinsics=camera(3), segments=labels)
    assert metric().per_image(pair)[:2].isnan().all()
    assert metric().per_image(pair).dtype == torch.float64
    if metric not in LOCAL:
        assert metric().per_image(pair)[2].isfinite()


@pytest.mark.parametrize("metric", [metric for pair in PAIRS.values() for metric in pair])
def test_values_outside_the_mask_are_inert(metric, surfaces, make_pair):
    depth, target, valid = surfaces
    spoilt = np.where(valid, depth, np.nan)
    result = metric().per_image(make_pair(spoilt, target, valid, intrinsics=camera(2)))
    assert torch.equal(result, metric().per_image(make_pair(depth, target, valid, intrinsics=camera(2))))
