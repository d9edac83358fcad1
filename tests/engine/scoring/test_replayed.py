"""Scoring by graphs: with a stand-in for CUDA's that runs where there is none, and with CUDA's where there is one."""

import dataclasses

import pytest
import torch

from src.core import replayed as core
from src.engine.scoring import replayed
from src.engine.scoring.replayed import replayed_scoring, score
from tests.test_no_host_sync import ON_DEVICE, PROTOCOLS, make_batch, moved

SOME = {name: PROTOCOLS[name] for name in ("affine_disparity", "metric")}


class Graph:
    """Does again what it was given, on the same tensors, and puts what comes of it where the first results are."""

    recorded = replayed = 0

    def __call__(self, work):
        self.recorded += 1
        scores, columns = work()

        def replay():
            self.replayed += 1
            again, more = work()
            for name, one in scores.items():
                for metric, errors in one.errors.items():
                    errors.copy_(again[name].errors[metric])
            columns.copy_(more)

        return replay, (scores, columns)


@pytest.fixture
def graph(monkeypatch):
    """A graph, where the processor counts as a device that graphs are for."""
    monkeypatch.setattr(core, "_is_on_host", lambda _: False)
    return Graph()


def batches(**changes):
    """Five batches of one shape with other values each."""
    prediction, sample = make_batch()
    sample = dataclasses.replace(sample, point_pairs=None, **changes)
    for power in (1.0, 1.1, 1.2, 1.3, 0.9):
        yield dataclasses.replace(prediction, values=prediction.values**power), sample


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_a_shape_that_comes_often_is_replayed_with_the_same_digits(graph):
    scored = replayed_scoring(SOME, recorded=graph)
    for batch in batches():
        (scores, columns), (expected, expected_columns) = scored(*batch), score(SOME, *batch)
        same(columns, expected_columns)
        for name in SOME:
            for metric, errors in expected[name].errors.items():
                same(scores[name].errors[metric], errors)
    assert (graph.recorded, graph.replayed) == (1, 4)


def test_another_range_or_set_of_fields_is_another_graph(graph):
    scored = replayed_scoring(SOME, recorded=graph)
    for changes in ({}, {"depth_range": (1e-3, 5.0)}, {"segments": None}):
        for batch in batches(**changes):
            same(scored(*batch)[1], score(SOME, *batch)[1])
    assert graph.recorded == 3


def test_large_batches_and_metrics_of_the_host_have_none(graph, monkeypatch):
    def run():
        scored = replayed_scoring(SOME, recorded=graph)
        for batch in batches():
            same(scored(*batch)[1], score(SOME, *batch)[1])
        return graph.recorded

    with monkeypatch.context() as changed:
        changed.setattr(replayed, "MOST_PIXELS", 0)
        assert run() == 0
    with monkeypatch.context() as changed:
        changed.setattr(type(SOME["metric"].metrics[0]), "runs_on_host", True)
        assert run() == 0
    assert run() == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ON_DEVICE)
def test_graphs_of_cuda_give_the_digits_of_single_kernels(name):
    protocols, made = {name: PROTOCOLS[name]}, []

    def recorded(work):
        made.append(core.capture(work))
        return made[-1]

    scored = replayed_scoring(protocols, recorded=recorded)
    with torch.inference_mode():
        for power in (1.0, 1.1, 1.2, 1.3, 0.9):
            prediction, sample = make_batch()
            prediction = dataclasses.replace(prediction, values=prediction.values**power)
            batch = moved(prediction, sample, "cuda")
            same(scored(*batch)[1], score(protocols, *batch)[1])
    assert len(made) == 1
