"""Metrics that do not declare `runs_on_host` never wait for the device."""

import dataclasses

import pytest
import torch

from src.core.aligned import Aligned, FittedIn
from src.core.sample import Sample
from src.metrics.catalogue import METRICS
from src.metrics.comparison import Comparison

ON_DEVICE = [metric for metric in METRICS.values() if not metric.runs_on_host]


@pytest.fixture
def pair(make_pair, random_maps):
    """A batch with every annotation."""
    depth, target, valid = random_maps(seed=0)
    generator = torch.Generator().manual_seed(0)
    maps = (len(depth), 1, *depth.shape[1:])
    return make_pair(
        depth,
        target,
        valid,
        point_pairs=torch.tensor([[[1, 2, 3, 4, 1], [5, 6, 0, 0, -1]]]).expand(3, 2, 5),
        segments=torch.randint(0, 3, maps, generator=generator),
        edges=torch.rand(maps, generator=generator) < 0.1,
        plane_normals=torch.tensor([0.0, 0.0, 1.0]).expand(3, 2, 3),
        intrinsics=torch.tensor([[20.0, 0.0, 8.0], [0.0, 20.0, 6.0], [0.0, 0.0, 1.0]]).expand(3, 3, 3),
    )


def moved(pair: Comparison, device: str) -> Comparison:
    sample: Sample = pair.sample.to(device)
    tensors = {name: getattr(pair.aligned, name).to(device) for name in ("depth", "scale", "shift")}
    return Comparison(dataclasses.replace(pair.aligned, **tensors), sample)


def test_the_fixture_is_scored_by_every_metric(pair):
    assert isinstance(pair.aligned, Aligned)
    assert pair.aligned.fitted_in is FittedIn.NOTHING
    for metric in METRICS.values():
        assert metric().per_image(pair).shape == metric().weight(pair).shape == (3,)
        assert metric().per_image(pair).dtype == metric().weight(pair).dtype == torch.float64


@pytest.mark.parametrize("metric", ON_DEVICE, ids=lambda metric: metric.name)
def test_nothing_depends_on_values_that_only_the_device_knows(metric, pair):
    """Meta tensors have shapes but no values, so that reading one on the host is an error."""
    on_meta = moved(pair, "meta")
    assert metric().per_image(on_meta).shape == metric().weight(on_meta).shape == (3,)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("metric", ON_DEVICE, ids=lambda metric: metric.name)
def test_nothing_waits_for_a_cuda_device(metric, pair):
    on_device = moved(pair, "cuda")
    expected = metric().per_image(pair)
    metric().per_image(on_device)  # the first call may allocate
    on_device = moved(pair, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        result, weight = metric().per_image(on_device), metric().weight(on_device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected, rtol=1e-9, atol=1e-12, equal_nan=True)
    assert torch.equal(weight.cpu(), metric().weight(pair))
