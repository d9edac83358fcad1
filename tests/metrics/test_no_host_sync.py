"""Metrics that do not declare `runs_on_host` never wait for the device."""

import dataclasses

import pytest
import torch

from src.metrics.catalogue import METRICS
from src.metrics.comparison import Comparison

ON_DEVICE = [metric for metric in METRICS.values() if not metric.runs_on_host]


def moved(pair: Comparison, device: str) -> Comparison:
    sample = pair.sample.to(device)
    tensors = {name: getattr(pair.aligned, name).to(device) for name in ("depth", "scale", "shift")}
    return Comparison(dataclasses.replace(pair.aligned, **tensors), sample)


def test_every_metric_gives_one_double_per_image(annotated_pair):
    for metric in METRICS.values():
        assert metric().per_image(annotated_pair).shape == metric().weight(annotated_pair).shape == (3,)
        assert metric().per_image(annotated_pair).dtype == metric().weight(annotated_pair).dtype == torch.float64


@pytest.mark.parametrize("metric", ON_DEVICE, ids=lambda metric: metric.name)
def test_nothing_depends_on_values_that_only_the_device_knows(metric, annotated_pair):
    """Meta tensors have shapes but no values, so that reading one on the host is an error."""
    on_meta = moved(annotated_pair, "meta")
    assert metric().per_image(on_meta).shape == metric().weight(on_meta).shape == (3,)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("metric", ON_DEVICE, ids=lambda metric: metric.name)
def test_nothing_waits_for_a_cuda_device(metric, annotated_pair):
    on_device = moved(annotated_pair, "cuda")
    expected = metric().per_image(annotated_pair)
    metric().per_image(on_device)  # the first call may allocate
    on_device = moved(annotated_pair, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        result, weight = metric().per_image(on_device), metric().weight(on_device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected, rtol=1e-9, atol=1e-12, equal_nan=True)
    assert torch.equal(weight.cpu(), metric().weight(annotated_pair))
