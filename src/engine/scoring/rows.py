"""Rows: what is written about the images of a batch, one record for each protocol."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from src.core.batch import Unreadable
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.protocol import EvalProtocol, Scores, Status
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
    found = []
    for position, row in enumerate(rows):
        values = iter(row)
        for name, protocol in protocols.items():
            status, valid_pixels, scale, shift = (next(values) for _ in range(4))
            has_failed = status == Status.FAILED
            found.append(
                SampleRecord(
                    index=sample.index[position],
                    sample_id=sample.sample_id[position],
                    group=sample.group[position],
                    protocol=name,
                    protocol_version=protocol.version,
                    status=Status(int(status)).name.lower(),  # type: ignore[arg-type]
                    valid_pixels=int(valid_pixels),
                    scale=finite(scale),
                    shift=finite(shift),
                    errors={metric: finite(next(values)) for metric in protocol.metric_names},
                    weights={metric: next(values) for metric in _pooled(protocol)},
                    input_size=prediction.input_size,
                    seconds=seconds[position],
                    reason=_what_is_wrong(prediction, sample, position) if has_failed else "",
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
            group="",
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


def _what_is_wrong(prediction: Prediction, sample: Sample, position: int) -> str:
    """Describe the prediction of an image that failed; waits for the device, so only for those."""
    values = prediction.values[position][sample.valid[position]]
    nan, infinite = int(values.isnan().sum()), int(values.isinf().sum())
    name = sample.sample_id[position]
    if nan + infinite:
        return f"{name}: {nan} NaN and {infinite} infinite values on {len(values)} valid pixels"
    return f"{name}: finite values between {values.min():g} and {values.max():g}, but an error of them is not finite"


def _pooled(protocol: EvalProtocol) -> list[str]:
    """Names of the metrics whose mean counts images differently."""
    return [metric.name for metric in protocol.metrics if metric.mean_over != "images"]
