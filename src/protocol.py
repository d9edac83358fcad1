"""EvalProtocol: a published way to score, as a versioned object."""

import dataclasses
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from src.alignment.base import Alignment
from src.core import masked
from src.core.aligned import Aligned, FittedIn
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.catalogue import metric_named
from src.metrics.comparison import Comparison
from src.metrics.per_image import PerImage

LEAST_DEPTH: Final = 1e-6
"""Metres. Marigold's floor below every clip; keeps logarithms finite where a data variant starts at 0 m."""


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
        weights: metric name -> (b,) float64, how much each image counts in the mean; only for metrics that pool
            something smaller than images (`DepthMetric.mean_over`).
        status: (b,) int64 of `Status`.
        valid_pixels: (b,) int64.
        aligned: what was scored, after clipping.
    """

    errors: dict[str, Float[Tensor, " b"]]
    weights: dict[str, Float[Tensor, " b"]]
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
        clip: what aligned depth is clamped to before scoring: the `depth_range` of the data variant (but never below
            `LEAST_DEPTH`), "none", or fixed (nearest, farthest) in metres.
        metrics: names of built-in metrics, or dotted paths of `DepthMetric` classes from elsewhere.
        source: where the protocol is published.
        traps: what to know before comparing its numbers with others, one sentence each.
    """

    def __init__(
        self,
        *,
        name: str,
        version: int,
        alignment: Alignment,
        clip: Literal["depth_range", "none"] | Sequence[float],
        metrics: Sequence[str],
        source: str = "",
        traps: Sequence[str] = (),
    ) -> None:
        if not metrics:
            msg = f"protocol {name}: expected at least one metric, got none"
            raise ConfigError(msg)
        self.name = name
        self.version = version
        self.alignment = alignment
        self.clip = _parse_clip(name, clip)
        self.source = source
        self.traps = tuple(traps)
        self.metrics: tuple[DepthMetric, ...] = tuple(metric_named(metric)() for metric in metrics)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def fitted_in(self) -> FittedIn:
        """The quantity that scale and shift are fitted in."""
        return self.alignment.fitted_in

    def clip_bounds(self, depth_range: tuple[float, float]) -> tuple[float, float] | None:
        """Return (nearest, farthest) in metres that depth is clamped to on data of that range, None for no clip."""
        if self.clip == "depth_range":
            return max(depth_range[0], LEAST_DEPTH), depth_range[1]
        return None if self.clip == "none" else self.clip

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be scored under this protocol."""
        return self.alignment.supports(space)

    def evaluate(self, prediction: Prediction, sample: Sample) -> Scores:
        """Score every image of a batch on its own; pure.

        Raises:
            ConfigError: if the prediction's space is not supported.
        """
        if not self.supports(prediction.space):
            scored = ", ".join(space for space in OutputSpace if self.supports(space))
            msg = f"protocol {self.name}: expected predictions that are {scored}, got {prediction.space}"
            raise ConfigError(msg)
        aligned = self.alignment.align(prediction, sample)
        bounds = self.clip_bounds(sample.depth_range)
        if bounds is not None:
            aligned = dataclasses.replace(aligned, depth=aligned.depth.clamp(*bounds))
        pair = Comparison(aligned, sample)
        raw = {metric.name: metric.per_image(pair) for metric in self.metrics}
        valid_pixels = masked.count(sample.valid)
        status = self._status(prediction, sample, raw, valid_pixels)
        errors = {name: torch.where(status == Status.OK, values, torch.nan) for name, values in raw.items()}
        weights = {metric.name: metric.weight(pair) for metric in self.metrics if metric.mean_over != "images"}
        return Scores(errors=errors, weights=weights, status=status, valid_pixels=valid_pixels, aligned=aligned)

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


def _parse_clip(name: str, clip: str | Sequence[float]) -> Literal["depth_range", "none"] | tuple[float, float]:
    if clip == "depth_range":
        return "depth_range"
    if clip == "none":
        return "none"
    if not isinstance(clip, str) and len(clip) == 2 and 0 <= clip[0] < clip[1]:
        return float(clip[0]), float(clip[1])
    msg = f"protocol {name}: clip: expected depth_range, none or [nearest, farthest] in metres, got {clip!r}"
    raise ConfigError(msg)


class ProtocolMetric(PerImage):
    """Mean errors of one protocol over all images of all processes: alignment-aware, exact under DDP."""

    def __init__(self, protocol: EvalProtocol) -> None:
        super().__init__(columns=protocol.metric_names)

    def update(self, scores: Scores, sample: Sample) -> None:  # type: ignore[override]
        """Add the scores of a batch."""
        index = torch.tensor(sample.index, device=scores.status.device)
        values = torch.stack(tuple(scores.errors.values()), 1)
        one = torch.ones_like(values[:, 0])
        weights = torch.stack([scores.weights.get(name, one) for name in scores.errors], 1)
        super().update(values, index, weights)
