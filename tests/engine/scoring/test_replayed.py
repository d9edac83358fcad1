"""Scoring as one graph for each shape, with a stand-in for CUDA's that runs where there is none."""

import dataclasses
import operator

import pytest
import torch

from src.engine.scoring import replayed
from src.engine.scoring.replayed import Replayed, score
from tests.test_no_host_sync import ON_DEVICE, PROTOCOLS, make_batch, moved


class Graph:
    """Does again what it was given, on the same tensors, and puts what comes of it where the first results are."""

    def __init__(self, spoil=operator.pos, error=None):
        self.spoil, self.error = spoil, error
        self.recorded = self.replayed = 0

    def __call__(self, work):
        if self.error is not None:
            raise self.error
        self.recorded += 1
        scores, columns = work()

        def replay():
            self.replayed += 1
            again, more = work()
            for name, one in scores.items():
                for metric, errors in one.errors.items():
                    errors.copy_(again[name].errors[metric])
            columns.copy_(self.spoil(more))

        return replay, (scores, columns)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """The processor counts as a device that graphs are for."""
    monkeypatch.setattr(replayed, "_is_on_host", lambda _: False)


NAMES = ("affine_disparity", "metric")
SOME = {name: PROTOCOLS[name] for name in NAMES}


def batches():
    """Four batches of one shape with other values each."""
    prediction, sample = make_batch()
    sample = dataclasses.replace(sample, point_pairs=None)
    for scale in (1.0, 1.1, 1.2, 1.3):
        yield dataclasses.replace(prediction, values=prediction.values**scale), sample


def columns(results):
    return [result[1].clone() for result in results]


def test_a_shape_that_comes_often_is_replayed_with_the_same_digits():
    graph = Graph()
    expected = columns(score(SOME, *batch) for batch in batches())
    scored = Replayed(SOME, graph)
    found = columns(scored(*batch) for batch in batches())

    assert (graph.recorded, graph.replayed) == (1, 3)  # for the check, for the third batch and for the fourth
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("graph", "recorded"), [(Graph(spoil=lambda c: c.nextafter(c + 1)), 1), (Graph(error=RuntimeError("no")), 0)]
)
def test_other_digits_and_what_no_graph_can_hold_are_scored_kernel_by_kernel(graph, recorded):
    expected = columns(score(SOME, *batch) for batch in batches())
    scored = Replayed(SOME, graph)
    found = columns(scored(*batch) for batch in batches())

    assert graph.recorded == recorded
    assert graph.replayed == recorded  # only to be looked at
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_every_shape_range_and_set_of_fields_has_a_graph_of_its_own():
    graph = Graph()
    scored = Replayed(SOME, graph)
    prediction, sample = next(batches())
    others = [
        (prediction, sample),
        (prediction, dataclasses.replace(sample, depth_range=(1e-3, 5.0))),
        (prediction, dataclasses.replace(sample, segments=None)),
        (dataclasses.replace(prediction, values=prediction.values[:2]), sample.part(slice(0, 2))),
    ]
    for _ in range(4):
        for batch in others:
            assert torch.equal(scored(*batch)[1].nan_to_num(), score(SOME, *batch)[1].nan_to_num())
    assert graph.recorded == 4


def test_large_batches_too_many_shapes_and_metrics_of_the_host_have_none(monkeypatch):
    graph = Graph()
    on_host = {"ibims1_official": PROTOCOLS["ibims1_official"]}
    assert any(metric.runs_on_host for metric in on_host["ibims1_official"].metrics)
    assert Replayed({**SOME, **on_host}, graph)._on_host
    for limit in ("MOST_PIXELS", "MOST_SHAPES"):
        with monkeypatch.context() as changed:
            changed.setattr(replayed, limit, 0)
            scored = Replayed(SOME, graph)
            for batch in batches():
                scored(*batch)
    assert graph.recorded == 0


def test_on_the_processor_nothing_is_recorded(monkeypatch):
    monkeypatch.undo()
    graph = Graph()
    scored = Replayed(SOME, graph)
    for batch in batches():
        scored(*batch)
    assert graph.recorded == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ON_DEVICE)
def test_graphs_of_cuda_give_the_digits_of_single_kernels(monkeypatch, name):
    monkeypatch.undo()
    protocols = {name: PROTOCOLS[name]}
    scored = Replayed(protocols)
    with torch.inference_mode():
        for scale in (1.0, 1.1, 1.2, 1.3, 0.9):
            prediction, sample = make_batch()
            prediction = dataclasses.replace(prediction, values=prediction.values**scale)
            batch = moved(prediction, sample, "cuda")
            torch.testing.assert_close(scored(*batch)[1], score(protocols, *batch)[1], rtol=0, atol=0, equal_nan=True)
    assert len(scored._graphs) == 1
    assert None not in scored._graphs.values(), "the digits of a graph differ, or it could not be recorded"
