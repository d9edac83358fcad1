import itertools
import math

import numpy as np
import pytest
import torch

from src.alignment.affine import AffineDepth
from src.alignment.identity import OrderOnly, Unaligned
from src.core import packing
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.metrics.functional.depth_bins import EDGES
from src.protocol.evaluation import EvalProtocol


def make_batch(depth, values, valid):
    depth, values, valid = (torch.as_tensor(array)[:, None] for array in (depth, values, valid))
    sample = Sample(
        image=torch.zeros(len(depth), 3, *depth.shape[2:], dtype=torch.uint8),
        depth=torch.where(valid, depth, 0.0),
        valid=valid,
        depth_range=(1e-3, 200.0),
        sample_id=tuple(map(str, range(len(depth)))),
        index=tuple(range(len(depth))),
        cluster=("",) * len(depth),
        slice=("",) * len(depth),
    )
    return Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(1, 1)), sample


def make_protocol(alignment, metrics=("abs_rel", "silog", "delta1", "median_log")):
    return EvalProtocol(name="p", version=1, alignment=alignment, clip="none", metrics=metrics)


def test_a_depth_belongs_to_the_bin_that_starts_at_it():
    # 1 m starts the second bin, 9.99 m still is in the fourth, 100 m in the last
    depth = np.array([[[0.5, 1.0, 1.5, 9.99, 100.0, 3.0]]], dtype=np.float32)
    prediction = depth * np.array([1.5, 1.25, 1.75, 1.0, 0.5, 9.0], dtype=np.float32)
    valid = np.array([[[True, True, True, True, True, False]]])
    scores = make_protocol(Unaligned(), ("abs_rel",)).evaluate(*make_batch(depth, prediction, valid))
    assert scores.depth_pixels.tolist() == [[1, 2, 0, 1, 0, 0, 0, 1]]
    expected = [0.5, 0.5, math.nan, 0.0, math.nan, math.nan, math.nan, 0.5]
    assert scores.depth_abs_rel[0].tolist() == pytest.approx(expected, abs=1e-7, nan_ok=True)


def test_an_image_that_failed_keeps_its_counts_and_one_without_pixels_has_none():
    depth = np.full((2, 1, 3), 4.0, dtype=np.float32)
    prediction = depth.copy()
    prediction[0, 0, 1] = np.nan
    valid = np.array([[[True] * 3], [[False] * 3]])
    scores = make_protocol(Unaligned(), ("abs_rel",)).evaluate(*make_batch(depth, prediction, valid))
    assert scores.depth_pixels.sum(1).tolist() == [3, 0]
    assert scores.depth_abs_rel.isnan().all()


def test_an_order_has_no_bins():
    protocol = make_protocol(OrderOnly(), ("pair_accuracy",))
    assert protocol.depth_edges == ()
    assert make_protocol(Unaligned()).depth_edges == EDGES
    assert len(EDGES) == 9


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("alignment", [Unaligned(), AffineDepth()])
def test_batches_and_threads_change_no_digit(alignment, threads):
    rng = np.random.default_rng(0)
    depth = np.exp(rng.uniform(-1, 5, (3, 400, 500))).astype(np.float32)
    prediction = (depth * np.exp(0.1 * rng.normal(size=depth.shape)) + 0.3).astype(np.float32)
    batch = make_batch(depth, prediction, rng.random(depth.shape) < 0.8)
    protocol = make_protocol(alignment)
    one_by_one = [protocol.evaluate(*image) for image in packing.split(*batch)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = protocol.evaluate(*batch)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for name, errors in whole.errors.items():
        assert torch.equal(errors, torch.cat([scores.errors[name] for scores in one_by_one]))
    for name in ("depth_pixels", "depth_abs_rel", "scale", "shift"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(scores, name) for scores in one_by_one]))
    aligned = protocol.align(*batch).depth[:, 0].numpy()
    for image in range(3):
        kept = batch[1].valid[image, 0].numpy()
        error = np.abs(aligned[image] - depth[image]) / depth[image]
        for k, (near, far) in enumerate(itertools.pairwise(EDGES)):
            inside = kept & (depth[image] >= near) & (depth[image] < far)
            assert whole.depth_pixels[image, k] == inside.sum()
            np.testing.assert_allclose(whole.depth_abs_rel[image, k], error[inside].mean(), rtol=1e-9)
