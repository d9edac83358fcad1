"""Scoring a batch on an accelerator never waits for the host, unless a metric says that it runs there."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.alignment.affine import AffineDepth, AffineDisparity, AffineLogDepth
from src.alignment.identity import Unaligned
from src.alignment.scale import LeastAbsoluteScale, LeastSquaresScale, MedianOfRatios, MedianScale
from src.alignment.selection import NearestGrid, Positive, QuantileBand, Successive
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.cell.build import build_protocols
from src.protocol.aggregation import ProtocolMetric
from src.protocol.evaluation import EvalProtocol
from src.protocols.__main__ import PROTOCOLS

SRC = Path(__file__).parents[1] / "src"
PROTOCOLS = {
    name: build_protocols(DictConfig(OmegaConf.load(PROTOCOLS / f"{name}.yaml")))[name]
    for name in sorted(path.stem for path in PROTOCOLS.glob("*.yaml"))
}
ON_DEVICE = [
    name
    for name, p in PROTOCOLS.items()
    if p.shared_fit is None and not any(metric.runs_on_host for metric in p.metrics)
]
ALIGNMENTS = [
    Unaligned(trusted=(0.0, 300.0)),
    MedianScale(),
    MedianOfRatios(),
    LeastSquaresScale(weighting="inverse_square_depth"),
    LeastAbsoluteScale(weighting="inverse_depth", fit_on=NearestGrid(cells=4)),
    AffineDepth(solver="median_deviation", invert_disparity=True, median_if_negative=True),
    AffineDepth(solver="least_absolute", fit_on=NearestGrid(cells=4)),
    AffineDepth(fit_on=Successive(first=QuantileBand(lower=0.05, upper=0.95), then=Positive())),
    *(AffineDisparity(floor=floor) for floor in ("farthest", "deepest_target", "near", "fail", 0.001)),
    AffineLogDepth(),
]


def make_batch():
    generator = torch.Generator().manual_seed(0)
    depth = torch.rand(3, 1, 20, 24, generator=generator) * 9 + 0.5
    valid = torch.rand(depth.shape, generator=generator) < 0.7
    valid[2] = False
    sample = Sample(
        image=torch.zeros(3, 3, 20, 24, dtype=torch.uint8),
        depth=torch.where(valid, depth, 0.0),
        valid=valid,
        depth_range=(1e-3, 10.0),
        sample_id=("a", "b", "c"),
        index=(0, 1, 2),
        cluster=("",) * 3,
        slice=("",) * 3,
        point_pairs=torch.tensor([[[1, 2, 3, 4, 1], [5, 6, 0, 0, -1]]]).expand(3, 2, 5),
        segments=torch.randint(0, 3, depth.shape, generator=generator),
    )
    values = depth**0.9 + 0.1 * torch.rand(depth.shape, generator=generator)
    return Prediction(values=values, space=OutputSpace.METRIC_DEPTH, input_size=(1, 1)), sample


def moved(prediction, sample, device):
    return dataclasses.replace(prediction, values=prediction.values.to(device)), sample.to(device)


def as_protocol(alignment):
    return EvalProtocol(name="p", version=1, alignment=alignment, clip="depth_range", metrics=["abs_rel"])


CASES = [pytest.param(PROTOCOLS[name], id=name) for name in ON_DEVICE] + [
    pytest.param(as_protocol(alignment), id=repr(alignment)) for alignment in ALIGNMENTS
]


@pytest.mark.parametrize("protocol", CASES)
def test_no_shape_depends_on_values_that_only_the_device_knows(protocol):
    """Meta tensors have shapes but no values, so that reading one on the host is an error."""
    scores = protocol.evaluate(*moved(*make_batch(), "meta"))
    assert all(error.shape == (3,) for error in scores.errors.values())
    assert scores.status.device.type == "meta"


@pytest.mark.parametrize("protocol", CASES)
def test_a_whole_batch_gives_the_numbers_of_its_images(protocol):
    """On the CPU images are scored one by one, on packed pixels; on an accelerator the batch is one."""
    prediction, sample = make_batch()
    one_by_one = protocol.evaluate(prediction, sample)
    whole = protocol._judge(protocol._measure_whole(prediction, sample))
    assert torch.equal(whole.status, one_by_one.status)
    for name, expected in one_by_one.errors.items():
        np.testing.assert_allclose(whole.errors[name], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whole.scale, one_by_one.scale, rtol=1e-9)
    assert torch.equal(whole.depth_pixels, one_by_one.depth_pixels)
    np.testing.assert_allclose(whole.depth_abs_rel, one_by_one.depth_abs_rel, rtol=1e-9)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("protocol", CASES)
def test_nothing_waits_for_a_cuda_device(protocol):
    prediction, sample = make_batch()
    expected = protocol.evaluate(prediction, sample)
    on_device = moved(prediction, sample, "cuda")
    protocol.evaluate(*on_device)  # the first call may allocate
    metric = ProtocolMetric(protocol).to("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        scores = protocol.evaluate(*on_device)
        metric.update(scores, on_device[1])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for name, error in scores.errors.items():
        torch.testing.assert_close(error.cpu(), expected.errors[name], rtol=1e-9, atol=1e-12, equal_nan=True)


def test_the_sources_of_the_solvers_read_nothing_on_the_host():
    files = [*SRC.glob("alignment/**/*.py"), SRC / "core/masked.py", SRC / "metrics/functional/residuals.py"]
    files += [SRC / "metrics/functional/depth.py", SRC / "metrics/functional/depth_bins.py"]
    forbidden = {"item", "tolist", "cpu", "numpy", "nonzero", "is_nonzero", "unique", "masked_select"}
    found = [
        f"{path.relative_to(SRC)}:{node.lineno} .{node.attr}"
        for path in files
        for node in _on_device(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in forbidden
    ]
    assert found == []


def _on_device(tree):
    """Nodes of a tree but for what fits several images, which happens on the host when all have been predicted."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.FunctionDef) and node.name in ("fit_together", "_joined")):
            yield from _on_device(node)
