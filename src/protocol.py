"""EvalProtocol: a published way to score, as a versioned object."""

import dataclasses
from collections.abc import Sequence
from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

from src.alignment.base import Alignment
from src.core import masked
from src.core.aligned import Aligned
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.catalogue import metric_named
from src.metrics.per_image import PerImage


class Status(IntEnum):
    """What became of an image under a protocol."""

    OK = 0
    SKIPPED = 1
    """No valid pixel: the data's fault."""
    FAILED = 2
    """Non-finite prediction or error on a valid pixel: the model's fault."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Per-image results of one protocol on one batch.

    Attributes:
        errors: metric name -> (b,) float64; NaN unless the status is OK (or where the metric may be undefined).
        status: (b,) int64 of `Status`.
        valid_pixels: (b,) int64.
        aligned: what was scored, after clipping.
    """

    errors: dict[str, Float[Tensor, " b"]]
    status: Int[Tensor, " b"]
    valid_pixels: Int[Tensor, " b"]
    aligned: Aligned


class EvalProtocol:
    """Alignment, clip and metrics under one name; any change of meaning bumps the version.

    Order, fixed: the prediction is on the ground truth's grid -> align on `valid` -> clip -> score on `valid`.

    Args:
        name: the yaml's name.
        version: starts at 1.
        alignment: how the prediction is brought to metres.
        clip: whether aligned depth is clamped to the `depth_range` of the data variant before scoring.
        metrics: names of built-in metrics, or dotted paths of `DepthMetric` classes from elsewhere.
    """

    def __init__(self, *, name: str, version: int, alignment: Alignment, clip: bool, metrics: Sequence[str]) -> None:
        if not metrics:
            msg = f"protocol {name}: expected at least one metric, got none"
            raise ConfigError(msg)
        self.name = name
        self.version = version
        self.alignment = alignment
        self.clip = clip
        self.metrics: tuple[DepthMetric, ...] = tuple(metric_named(metric)() for metric in metrics)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(metric.name for metric in self.metrics)

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be scored under this protocol."""
        return self.alignment.supports(space)

    def evaluate(self, prediction: Prediction, sample: Sample) -> Scores:
        """Score every image of a batch on its own; pure.

        Raises:
            ConfigError: if the prediction's space is not supported.
        """
        if not self.supports(prediction.space):
            msg = (
                f"protocol {self.name} cannot score {prediction.space.value} predictions: expected a space that "
                f"determines {self.alignment.assumes.value}"
            )
            raise ConfigError(msg)
        aligned = self.alignment.align(prediction, sample)
        if self.clip:
            nearest, farthest = sample.depth_range
            aligned = dataclasses.replace(aligned, depth=aligned.depth.clamp(nearest, farthest))
        raw = {metric.name: metric.per_image(aligned, sample) for metric in self.metrics}
        valid_pixels = masked.count(sample.valid)
        status = self._status(prediction, sample, raw, valid_pixels)
        errors = {name: torch.where(status == Status.OK, values, torch.nan) for name, values in raw.items()}
        return Scores(errors=errors, status=status, valid_pixels=valid_pixels, aligned=aligned)

    def _status(
        self,
        prediction: Prediction,
        sample: Sample,
        errors: dict[str, Float[Tensor, " b"]],
        valid_pixels: Int[Tensor, " b"],
    ) -> Int[Tensor, " b"]:
        failed = (~prediction.values.isfinite() & sample.valid).flatten(1).any(1)
        for metric in self.metrics:
            if not metric.may_be_undefined:
                failed |= ~errors[metric.name].isfinite()
        status = torch.where(failed, int(Status.FAILED), int(Status.OK))
        return torch.where(valid_pixels == 0, int(Status.SKIPPED), status)


class ProtocolMetric(PerImage):
    """Mean errors of one protocol over all images of all processes: alignment-aware, exact under DDP."""

    def __init__(self, protocol: EvalProtocol) -> None:
        super().__init__(columns=protocol.metric_names)

    def update(self, scores: Scores, sample: Sample) -> None:  # type: ignore[override]
        """Add the scores of a batch."""
        index = torch.tensor(sample.index, device=scores.status.device)
        super().update(torch.stack(tuple(scores.errors.values()), 1), index)
