"""Scoring on CUDA as one graph for each shape: some hundred small kernels are launched at once."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor

from src.core.prediction import Prediction
from src.core.replayed import Recorder, Replayed
from src.core.sample import Sample
from src.engine.scoring.rows import columns_of
from src.protocol.evaluation import EvalProtocol
from src.protocol.fit_over.points import KnownPoints
from src.protocol.scores import Scores

MOST_PIXELS: Final = 1 << 20
"""Of a batch. Above that kernels take longer than their launch, and the memory that a graph keeps would count."""

Result = tuple[dict[str, Scores], Tensor]


def score(protocols: Mapping[str, EvalProtocol], prediction: Prediction, sample: Sample) -> Result:
    """Return the scores of a batch by protocol, as far as they need no other images, and the columns of its records."""
    scores = {
        name: protocol.evaluate(prediction, sample)
        if protocol.shared_fit is None
        else protocol.observe(prediction, sample)
        for name, protocol in protocols.items()
    }
    return scores, columns_of(scores)


def replayed_scoring(
    protocols: Mapping[str, EvalProtocol], *, recorded: Recorder | None = None
) -> Callable[[Prediction, Sample], Result]:
    """Return a function that does what `score` does; on CUDA by the graph of a shape that comes often.

    Args:
        protocols: by name.
        recorded: see `Replayed`.
    """
    on_host = any(metric.runs_on_host for protocol in protocols.values() for metric in protocol.metrics)
    by_name = any(isinstance(protocol.fit_over, KnownPoints) for protocol in protocols.values())
    replayed: Replayed[Result] = Replayed("scoring", lambda result: [result[1]], recorded=recorded)

    def scored(prediction: Prediction, sample: Sample) -> Result:
        if on_host or by_name or sample.depth.numel() > MOST_PIXELS:
            return score(protocols, prediction, sample)
        own, theirs = _of(prediction), sample.tensors()

        def work(tensors: Mapping[str, Tensor]) -> Result:
            return score(
                protocols,
                dataclasses.replace(prediction, **{name: tensors[name] for name in own}),  # type: ignore[arg-type]
                dataclasses.replace(sample, **{name: tensors[f"sample.{name}"] for name in theirs}),  # type: ignore[arg-type]
            )

        tensors = {**own, **{f"sample.{name}": tensor for name, tensor in theirs.items()}}
        return replayed(work, tensors, given=(prediction.space, sample.depth_range))

    return scored


def _of(prediction: Prediction) -> dict[str, Tensor]:
    values = {field.name: getattr(prediction, field.name) for field in dataclasses.fields(prediction)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}
