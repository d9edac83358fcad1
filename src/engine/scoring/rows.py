"""Rows: what is written about the images of a batch, one record for each protocol."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from src.core.aligned import Fit
from src.core.batch import Unreadable
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.protocol.evaluation import EvalProtocol
from src.protocol.fit_over.points import KnownPoints
from src.protocol.scores import Scores, Status
from src.records.schema import SampleRecord
from src.records.writer import finite


def columns_of(scores: Mapping[str, Scores]) -> Float64[Tensor, "b c"]:
    """Put all that the records need side by side, so that one transfer brings a whole batch to the host.

    Args:
        scores: of b images, by protocol.
    """
    return torch.cat([_columns(score) for score in scores.values()], dim=1)


def _columns(scores: Scores) -> Float64[Tensor, "b c"]:
    head = (scores.status, scores.valid_pixels, scores.scale, scores.shift)
    numbers = [value.double() for value in (*head, *scores.errors.values(), *scores.weights.values())]
    return torch.cat([torch.stack(numbers, dim=1), scores.depth_pixels.double(), scores.depth_abs_rel], dim=1)


def scored_rows(
    protocols: Mapping[str, EvalProtocol],
    sample: Sample,
    prediction: Prediction,
    columns: Float64[Tensor, "b c"],
    seconds: Sequence[float],
) -> list[SampleRecord]:
    """Return the records of images that were read.

    Args:
        protocols: by name.
        sample: of b images.
        prediction: for them.
        columns: what `columns_of` makes of their scores, on the host.
        seconds: inference time of each image.
    """
    rows: list[list[float]] = columns.tolist()
    pooled = {name: _pooled(protocol) for name, protocol in protocols.items()}
    found = []
    for position, row in enumerate(rows):
        values = iter(row)
        for name, protocol in protocols.items():
            status, valid_pixels, scale, shift = (next(values) for _ in range(4))
            found.append(
                SampleRecord(
                    index=sample.index[position],
                    sample_id=sample.sample_id[position],
                    cluster=sample.cluster[position],
                    slice=sample.slice[position],
                    protocol=name,
                    protocol_version=protocol.version,
                    status=Status(int(status)).name.lower(),  # type: ignore[arg-type]
                    valid_pixels=int(valid_pixels),
                    scale=finite(scale),
                    shift=finite(shift),
                    errors={metric: finite(next(values)) for metric in protocol.metric_names},
                    weights={metric: next(values) for metric in pooled[name]},
                    input_size=prediction.input_size,
                    seconds=seconds[position],
                    reason=_reason(Status(int(status)), prediction, sample, position, protocol, scale),
                    depth_pixels=tuple(int(next(values)) for _ in protocol.depth_edges[1:]),
                    depth_abs_rel=tuple(finite(next(values)) for _ in protocol.depth_edges[1:]),
                )
            )
    return found


def skipped_rows(protocols: Mapping[str, EvalProtocol], image: Unreadable) -> list[SampleRecord]:
    """Return the records of an image that could not be read; no metric hears of it."""
    return [
        SampleRecord(
            index=image.index,
            sample_id=image.sample_id,
            cluster="",
            slice="",
            protocol=name,
            protocol_version=protocol.version,
            status="skipped",
            valid_pixels=0,
            scale=None,
            shift=None,
            errors=dict.fromkeys(protocol.metric_names),
            weights=dict.fromkeys(_pooled(protocol), 0.0),
            input_size=(0, 0),
            seconds=0.0,
            reason=image.reason,
            depth_pixels=(0,) * len(protocol.depth_edges[1:]),
            depth_abs_rel=(None,) * len(protocol.depth_edges[1:]),
        )
        for name, protocol in protocols.items()
    ]


def _reason(
    status: Status, prediction: Prediction, sample: Sample, position: int, protocol: EvalProtocol, scale: float
) -> str:
    """Say why an image has no score, "" if it has one or no valid pixel; waits for the device only where there is more.

    Args:
        status: of the image.
        prediction: for the batch.
        sample: the batch.
        position: of the image in it.
        protocol: that it was scored under.
        scale: that was fitted.
    """
    name, valid = sample.sample_id[position], sample.valid[position]
    if status == Status.SKIPPED and valid.any() and isinstance(protocol.fit_over, KnownPoints):
        return (
            f"{name}: its {int(valid.sum())} valid pixels do not give {protocol.fit_over.label} that settle a fit of "
            f"{protocol.alignment.unknowns} unknowns and leave others to score"
        )
    if status == Status.SKIPPED and valid.any():
        depth = sample.depth[position][valid]
        return (
            f"{name}: {len(torch.unique(depth))} different true depths on {len(depth)} valid pixels settle no fit of "
            f"{protocol.alignment.unknowns} unknowns: any prediction would score without error"
        )
    if status != Status.FAILED:
        return ""
    if prediction.refused:
        return f"{name}: {prediction.refused}"
    values = prediction.values[position][valid]
    nan, infinite = int(values.isnan().sum()), int(values.isinf().sum())
    if nan + infinite:
        return f"{name}: {nan} NaN and {infinite} infinite values on {len(values)} valid pixels"
    if protocol.alignment.contradicted(Fit(scale=torch.tensor([scale]).double(), shift=torch.zeros(1).double())).any():
        return f"{name}: the best factor is {scale:g}, and {prediction.space.value} promises one above 0"
    return f"{name}: finite values between {values.min():g} and {values.max():g}, but an error of them is not finite"


def _pooled(protocol: EvalProtocol) -> list[str]:
    """Names of the metrics whose mean counts images differently."""
    return [metric.name for metric in protocol.metrics if metric.mean_over != "images"]
