"""Scores: what a protocol makes of a batch, image by image."""

import dataclasses
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Status(IntEnum):
    """What became of an image under a protocol."""

    OK = 0
    SKIPPED = 1
    """No valid pixel, or fewer different true depths than the fit has unknowns: the data's fault."""
    FAILED = 2
    """Non-finite prediction or error on a valid pixel, or a fit that its output space rules out: the model's fault."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Per-image results of one protocol on one batch.

    Attributes:
        errors: metric name -> (b,) float64; NaN unless the status is OK (or where the metric may be undefined).
        weights: metric name -> (b,) float64, how much each image counts in the mean; only for metrics that pool
            something smaller than images (`DepthMetric.mean_over`).
        status: (b,) int64 of `Status`.
        valid_pixels: (b,) int64.
        scale: (b,) float64, fitted; NaN where no pixel is valid.
        shift: (b,) float64, fitted.
        depth_pixels: (b, k) int64, valid pixels by true depth, in the bins between `depth_bins.EDGES`.
        depth_abs_rel: (b, k) float64, their mean absolute relative error; NaN where there are none or the status is not
            OK.
    """

    errors: dict[str, Float[Tensor, " b"]]
    weights: dict[str, Float[Tensor, " b"]]
    status: Int[Tensor, " b"]
    valid_pixels: Int[Tensor, " b"]
    scale: Float[Tensor, " b"]
    shift: Float[Tensor, " b"]
    depth_pixels: Int[Tensor, "b k"]
    depth_abs_rel: Float[Tensor, "b k"]


def join(parts: Sequence[Scores]) -> Scores:
    """Put the scores of several batches one after the other."""

    def joined(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], dict):
            return {key: torch.cat([value[key] for value in values]) for key in values[0]}
        return torch.cat(values)

    return Scores(**{field.name: joined(field.name) for field in dataclasses.fields(Scores)})
