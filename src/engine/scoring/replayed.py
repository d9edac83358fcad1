"""Scoring on CUDA as one graph for each shape: some hundred small kernels are launched at once."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from src.core.prediction import Prediction
from src.core.sample import Sample
from src.engine.scoring.rows import columns_of
from src.protocol import EvalProtocol, Scores

log = logging.getLogger(__name__)

MOST_PIXELS: Final = 1 << 20
"""Of a batch. Above that kernels take longer than their launch, and the memory that a graph keeps would count."""
MOST_SHAPES: Final = 8
_BEFORE = 2  # batches of a shape that are scored one kernel at a time before it gets a graph

Result = tuple[dict[str, Scores], Tensor]


def score(protocols: Mapping[str, EvalProtocol], prediction: Prediction, sample: Sample) -> Result:
    """Return the scores of a batch by protocol, and the columns of its records."""
    scores = {name: protocol.evaluate(prediction, sample) for name, protocol in protocols.items()}
    return scores, columns_of(scores)


def capture(work: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
    """Record what a function asks of the CUDA device; return what asks for all of it again, and its result.

    Raises:
        RuntimeError: if it asks for what a graph cannot hold, such as an answer.
    """
    graph = torch.cuda.CUDAGraph()
    # threads of the loader allocate page-locked memory meanwhile, which only their own captures forbid
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = work()
    return graph.replay, result


class Replayed:
    """Scores batches; on CUDA those of a shape that comes often by its graph, if that gives the same digits to the bit.

    What a graph returns is overwritten by the next batch of its shape, so it is to be used up before, on the device.

    Args:
        protocols: by name.
        recorded: how work is recorded, see `capture`.
    """

    def __init__(
        self,
        protocols: Mapping[str, EvalProtocol],
        recorded: Callable[[Callable[[], Result]], tuple[Callable[[], None], Result]] = capture,
    ) -> None:
        self._protocols = protocols
        self._recorded = recorded
        self._on_host = any(metric.runs_on_host for protocol in protocols.values() for metric in protocol.metrics)
        self._seen: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, _Graph | None] = {}

    def __call__(self, prediction: Prediction, sample: Sample) -> Result:
        """Return the scores of a batch by protocol, and the columns of its records."""
        if self._on_host or _is_on_host(sample) or sample.depth.numel() > MOST_PIXELS:
            return score(self._protocols, prediction, sample)
        shape = _shape(prediction, sample)
        if shape not in self._graphs:
            self._seen[shape] += 1
            if self._seen[shape] <= _BEFORE or len(self._graphs) >= MOST_SHAPES:
                return score(self._protocols, prediction, sample)
            self._graphs[shape] = self._record(prediction, sample)
        graph = self._graphs[shape]
        return score(self._protocols, prediction, sample) if graph is None else graph(prediction, sample)

    def _record(self, prediction: Prediction, sample: Sample) -> "_Graph | None":
        """Return the graph of a shape, None if it cannot be had or gives other digits for this batch."""
        _, expected = score(self._protocols, prediction, sample)
        try:
            graph = _Graph(self._protocols, prediction, sample, self._recorded)
        except RuntimeError as error:
            log.debug("scoring %s is not replayed: %s", sample.size, error)
            return None
        _, found = graph(prediction, sample)
        if not torch.equal(_bits(found), _bits(expected)):
            log.debug("scoring %s is not replayed: a graph gives other digits", sample.size)
            return None
        return graph


class _Graph:
    """The scoring of batches of one shape, on tensors of its own."""

    def __init__(
        self,
        protocols: Mapping[str, EvalProtocol],
        prediction: Prediction,
        sample: Sample,
        recorded: Callable[[Callable[[], Result]], tuple[Callable[[], None], Result]],
    ) -> None:
        self._inputs = {name: value.clone() for name, value in _tensors(prediction, sample).items()}
        own = (
            dataclasses.replace(prediction, **{name: self._inputs[name] for name in _of(prediction)}),  # type: ignore[arg-type]
            dataclasses.replace(sample, **{name: self._inputs[f"sample.{name}"] for name in sample.tensors()}),  # type: ignore[arg-type]
        )
        self._replay, self._result = recorded(lambda: score(protocols, *own))

    def __call__(self, prediction: Prediction, sample: Sample) -> Result:
        for name, value in _tensors(prediction, sample).items():
            self._inputs[name].copy_(value)
        self._replay()
        return self._result


def _is_on_host(sample: Sample) -> bool:
    return sample.depth.device.type == "cpu"


def _of(prediction: Prediction) -> dict[str, Tensor]:
    values = {field.name: getattr(prediction, field.name) for field in dataclasses.fields(prediction)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _tensors(prediction: Prediction, sample: Sample) -> dict[str, Tensor]:
    return {**_of(prediction), **{f"sample.{name}": value for name, value in sample.tensors().items()}}


def _shape(prediction: Prediction, sample: Sample) -> Hashable:
    """All that scoring may depend on beside values: shapes and types, output space and range."""
    tensors: Any = ((name, value.shape, value.dtype) for name, value in _tensors(prediction, sample).items())
    return (*tensors, prediction.space, sample.depth_range)


def _bits(columns: Tensor) -> Tensor:
    return columns.view(torch.int64)  # where NaN is equal to itself, and -0 is not 0
