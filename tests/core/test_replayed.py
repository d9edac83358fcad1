"""Work as one graph for each shape, with a stand-in for CUDA's that runs where there is none."""

import operator

import pytest
import torch

from src.core import replayed
from src.core.replayed import Replayed, kernel_by_kernel


class Graph:
    """Does again what it was given, on the same tensors, and puts what comes of it where the first result is."""

    def __init__(self, spoil=operator.pos, error=None):
        self.spoil, self.error = spoil, error
        self.recorded = self.replayed = 0

    def __call__(self, work):
        if self.error is not None:
            raise self.error
        self.recorded += 1
        result = work()

        def replay():
            self.replayed += 1
            result.copy_(self.spoil(work()))

        return replay, result


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """The processor counts as a device that graphs are for."""
    monkeypatch.setattr(replayed, "_is_on_host", lambda _: False)


def work(tensors):
    return tensors["a"] * 3 + tensors["b"].sum() / 7


def batches(rows=4, kind=torch.float32):
    for number in range(5):
        generator = torch.Generator().manual_seed(number)
        yield {name: torch.rand(rows, 3, generator=generator, dtype=torch.float64).to(kind) for name in "ab"}


def replaying(graph):
    return Replayed("work", lambda result: [result], recorded=graph)


def test_what_comes_often_is_replayed_with_the_same_digits():
    graph = Graph()
    run = replaying(graph)
    for tensors in batches():
        before = {name: value.clone() for name, value in tensors.items()}
        assert torch.equal(run(work, tensors), work(tensors))
        assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert (graph.recorded, graph.replayed) == (1, 4)  # to be looked at, and for the third, fourth and fifth


@pytest.mark.parametrize(
    ("graph", "recorded"),
    [
        (Graph(spoil=lambda values: values.nextafter(values + 1)), 1),
        (Graph(spoil=lambda values: -values * 0), 1),
        (Graph(error=RuntimeError("cannot wait here")), 0),
    ],
)
def test_other_digits_and_what_no_graph_can_hold_are_done_kernel_by_kernel(graph, recorded):
    run = replaying(graph)
    for tensors in batches():
        assert torch.equal(run(work, tensors), work(tensors))
    assert (graph.recorded, graph.replayed) == (recorded, recorded)


def test_what_is_not_finite_is_the_same_digit():
    graph = Graph()
    run = replaying(graph)
    for _ in range(4):
        tensors = {"a": torch.tensor([torch.nan, -0.0, torch.inf]), "b": torch.zeros(1)}
        run(work, tensors)
    assert (graph.recorded, graph.replayed) == (1, 3)


def test_every_shape_type_and_circumstance_has_a_graph_of_its_own():
    graph = Graph()
    run = replaying(graph)
    for rows, kind, given in (
        (4, torch.float32, 0),
        (5, torch.float32, 0),
        (4, torch.bfloat16, 0),
        (4, torch.float32, 1),
    ):
        for tensors in batches(rows, kind):
            assert torch.equal(run(work, tensors, given=given), work(tensors))
    assert graph.recorded == 4


def test_too_many_shapes_the_processor_and_who_looks_at_operations_get_none(monkeypatch):
    graph = Graph()
    with kernel_by_kernel():
        for run in [replaying(graph)]:
            for tensors in batches():
                run(work, tensors)
    monkeypatch.setattr(replayed, "MOST_SHAPES", 0)
    for run in [replaying(graph)]:
        for tensors in batches():
            run(work, tensors)
    monkeypatch.undo()
    for run in [replaying(graph)]:
        for tensors in batches():
            run(work, tensors)
    assert graph.recorded == 0
