import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import ConfigError
from src.metrics.boundary import BoundaryF1, BoundaryF1Radius1, BoundaryF1Radius2, BoundaryF1Radius3, BoundaryRecall
from src.metrics.functional.boundary import matte_recall, pooled_f1, scale_invariant_f1
from tests.reference import boundary as reference

POOLED = {1: BoundaryF1Radius1, 2: BoundaryF1Radius2, 3: BoundaryF1Radius3}
MASKED = [BoundaryF1, *POOLED.values()]


def blocks(seed, shape=(2, 13, 17)):
    """Depth in blocks with steps of a few percent up to a factor, so that many thresholds are crossed."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(1, 1.6, (shape[0], 5, 6))
    return np.repeat(np.repeat(coarse, 3, axis=1), 3, axis=2)[:, : shape[1], : shape[2]] * 3


def scene(seed):
    target = blocks(seed).astype(np.float32)
    depth = target * np.random.default_rng(seed + 1).normal(1, 0.03, target.shape)
    return depth, target


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_scale_invariant_f1_equals_the_per_image_reference_on_dense_ground_truth(seed, make_pair):
    depth, target = scene(seed)
    expected = [reference.scale_invariant_f1(p, g) for p, g in zip(depth, target, strict=True)]
    assert min(expected) > 0.1
    assert max(expected) < 0.99
    np.testing.assert_allclose(BoundaryF1().per_image(make_pair(depth, target)), expected, rtol=1e-12)


@pytest.mark.parametrize("radius", POOLED)
def test_pooled_f1_equals_the_per_image_reference(radius, make_pair):
    depth, target = scene(radius)
    valid = np.random.default_rng(0).random(target.shape) < 0.8
    expected = [reference.pooled_f1(*image, radius) for image in zip(depth, target, valid, strict=True)]
    assert min(expected) > 0.1
    np.testing.assert_allclose(POOLED[radius]().per_image(make_pair(depth, target, valid)), expected, rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_matte_recall_equals_the_per_image_reference(seed, make_pair):
    depth, _ = scene(seed)
    rounded = np.round(depth, 1)  # equal steps inside a run
    foreground = blocks(seed + 7) < 3.9
    expected = [reference.matte_recall(p, m) for p, m in zip(rounded, foreground, strict=True)]
    pair = make_pair(rounded, np.zeros(depth.shape), segments=torch.tensor(foreground, dtype=torch.int64)[:, None])
    np.testing.assert_allclose(BoundaryRecall().per_image(pair), expected, rtol=1e-12)


def test_scale_invariant_f1_worked_out_by_hand(make_pair):
    # One step 1 -> 1.12 between columns, found at half its places and invented once more: seen from the left,
    # precision = recall = 1/2 up to threshold 1.1167 (the fourth), and the other three sides have no true edge.
    target = [[1.0, 1.12], [1.0, 1.12]]
    depth = [[1.0, 1.12], [1.0, 1.0]]
    precision = recall = np.array([1 / 4 * 1.0, 1 / 4 * 0.5])
    f1 = 2 * precision[0] * recall[1] / (precision[0] + recall[1])
    # the predicted step down the second column, 1.12 -> 1, is an edge of the upper pixel's neighbour: a false one
    weights = np.linspace(1.05, 1.25, 10)
    expected = f1 * weights[:4].sum() / weights.sum()
    assert BoundaryF1().per_image(make_pair(depth, target)).tolist() == pytest.approx([expected])


def test_pooled_f1_worked_out_by_hand(make_pair):
    # The centre of a cross is the only pixel that is a neighbourhood away from the border. Its four neighbours are
    # farther by 20 %: four true edges up to t = 0.1833 (the seventh); two of them and none else are predicted.
    target = [[1.0, 1.2, 1.0], [1.2, 1.0, 1.2], [1.0, 1.2, 1.0]]
    depth = [[1.0, 1.2, 1.0], [1.0, 1.0, 1.2], [1.0, 1.0, 1.0]]
    excess = np.linspace(0.05, 0.25, 10)
    expected = 2 * 0.5 / 1.5 * excess[:7].sum() / excess.sum()
    assert BoundaryF1Radius1().per_image(make_pair(depth, target)).tolist() == pytest.approx([expected])


@pytest.mark.parametrize("metric", MASKED)
def test_a_perfect_prediction_scores_one_at_any_scale(metric, make_pair):
    target = blocks(3).astype(np.float32)
    scores = metric().per_image(make_pair(7.5 * target.astype(np.float64), target))
    # thresholds above the largest step have no edge to find
    assert scores.min() > 0.99


@pytest.mark.parametrize("metric", MASKED)
def test_scale_changes_nothing_and_shift_does(metric, make_pair):
    depth, target = scene(4)
    score = metric().per_image(make_pair(depth, target))
    torch.testing.assert_close(metric().per_image(make_pair(100 * depth, target)), score)
    assert (metric().per_image(make_pair(depth + 5, target)) < score).all()


@pytest.mark.parametrize("metric", MASKED)
def test_values_outside_the_mask_are_inert(metric, make_pair):
    depth, target = scene(5)
    valid = np.random.default_rng(1).random(target.shape) < 0.8
    spoilt = np.where(valid, depth, np.resize([np.nan, np.inf, -1, 0], depth.shape))
    expected = metric().per_image(make_pair(depth, target, valid))
    assert torch.equal(metric().per_image(make_pair(spoilt, target, valid)), expected)


def test_a_hole_in_the_ground_truth_makes_no_edge(make_pair):
    flat = np.full((1, 6, 6), 2.0)
    valid = np.ones((1, 6, 6), dtype=bool)
    valid[0, 2:4, 2:4] = False
    depth, target = scene(6)
    joined = [np.concatenate([part[:1, :6, :6], hole]) for part, hole in ((depth, flat), (target, flat))]
    scores = BoundaryF1().per_image(make_pair(*joined, np.concatenate([np.ones_like(valid), valid])))
    assert scores[1] == 0
    assert scores[0] > 0


@pytest.mark.parametrize("score", [scale_invariant_f1, lambda *maps: pooled_f1(*maps, radius=1)])
def test_an_empty_mask_is_nan_and_flat_ground_truth_scores_zero(score):
    depth = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 1
    valid = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    valid[0] = False
    result = score(depth, torch.ones_like(depth), valid)
    assert result[0].isnan()
    assert result[1] == 0


def test_matte_recall_of_an_empty_mask_is_nan_and_of_a_missing_matte_an_error(make_pair):
    depth = torch.ones(1, 1, 4, 4)
    none = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    assert matte_recall(depth, none, none).isnan().all()
    with pytest.raises(ConfigError, match="expected data with segments"):
        BoundaryRecall().per_image(make_pair([[1.0, 2.0]], [[1.0, 2.0]]))


def test_one_column_has_no_edge_beside_it():
    one = torch.ones(1, 1, 4, 1)
    yes = torch.ones(1, 1, 4, 1, dtype=torch.bool)
    assert [scale_invariant_f1(one, one, yes).item(), matte_recall(one, yes, yes).item()] == [0, 0]
    assert pooled_f1(one, one, yes, radius=3).item() == 0
