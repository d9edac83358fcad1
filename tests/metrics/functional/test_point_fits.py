import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.metrics.functional import point_fits
from tests.reference import points as reference


def problem(seed, n, noise):
    rng = np.random.default_rng(seed)
    target = rng.uniform([-2, -2, 2], [2, 2, 6], (n, 3))
    points = rng.uniform(0.2, 3) * target * (1 + noise * rng.normal(size=(n, 3))) + rng.uniform(-3, 3, 3)
    points[rng.random(n) < 0.2] = points[0]  # some in one place
    return points, target, rng.uniform(0.1, 1, n)


def tensors(*arrays):
    return tuple(torch.tensor(array) for array in arrays)


def loss(points, target, weight, scale, shift):
    return np.sum(weight[:, None] * np.abs(scale * points + np.asarray(shift) - target))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 25), noise=st.sampled_from([0, 1e-6, 0.01, 0.3, 3.0]))
@example(seed=13, n=2, noise=0)  # both points in one place, which prefix sums see 1e-16 apart
def test_scale_and_shift_are_as_good_as_the_exhaustive_search(seed, n, noise):
    points, target, weight = problem(seed, n, noise)
    scale, shift = point_fits.scale_and_shift(*tensors(points, target, weight))
    found = loss(points, target, weight, scale.item(), shift.numpy())
    best = loss(points, target, weight, *reference.best_scale_and_shift(points, target, weight))
    assert found == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), noise=st.sampled_from([0.01, 0.3, 3.0]))
def test_leaving_anchors_out_changes_nothing_on_a_large_problem(seed, noise):
    problem_ = tensors(*problem(seed, 400, noise))
    few = point_fits._possible_anchors(*problem_)
    scale, shift = point_fits.scale_and_shift(*problem_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_fits, "_possible_anchors", lambda *_: torch.ones(400, dtype=torch.bool))
        all_scale, all_shift = point_fits.scale_and_shift(*problem_)
    assert few.sum() < 40
    assert scale == all_scale
    assert torch.equal(shift, all_shift)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 25))
def test_shift_alone_and_scale_alone_are_as_good_as_the_exhaustive_search(seed, n):
    points, target, weight = problem(seed, n, 0.3)
    shift = point_fits.shift(*tensors(points, target, weight)).numpy()
    expected = loss(points, target, weight, 1, reference.best_shift(points, target, weight))
    assert loss(points, target, weight, 1, shift) == pytest.approx(expected, rel=1e-12)
    scale = point_fits.scale(*tensors(points, target, weight)).item()
    expected = loss(points, target, weight, reference.best_scale(points, target, weight), 0)
    assert loss(points, target, weight, scale, 0) == pytest.approx(expected, rel=1e-12)


def test_points_in_one_place_are_moved_and_not_scaled():
    points, target = torch.ones(5, 3, dtype=torch.float64), torch.arange(15, dtype=torch.float64).reshape(5, 3)
    scale, shift = point_fits.scale_and_shift(points, target, torch.ones(5, dtype=torch.float64))
    assert scale == 0
    assert shift.tolist() == [6, 7, 8]
