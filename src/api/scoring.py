"""score: a first number from two arrays. Imports torch and what arithmetic needs, nothing of a run."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped

from src.api.arrays import Array, Range, is_one_image, prediction_of, sample_of
from src.core.prediction import OutputSpace
from src.engine.scoring.rows import columns_of, scored_rows
from src.protocol.evaluation import EvalProtocol
from src.protocol.named import protocol_named
from src.records.schema import SampleRecord


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayScores:
    """What a protocol makes of arrays: a number for each image, shape (b,), or () where one image (h, w) was given.

    Attributes:
        protocol: its name.
        protocol_version: its version.
        errors: metric -> value; NaN unless the status is ok (or where a metric may be undefined).
        scale, shift: fitted; NaN where undefined.
        fitted_in: the quantity that they are fitted in: nothing, depth, disparity or log_depth.
        clip: (nearest, farthest) in metres that aligned depth was clipped to; None for none.
        status: ok; skipped (no valid pixel, or too few different true depths for the fit); failed (non-finite
            prediction, or one that its space rules out).
        reason: why an image was skipped or failed; "" where there is nothing to say.
        valid_pixels: number of pixels scored.
    """

    protocol: str
    protocol_version: int
    errors: dict[str, Float64[np.ndarray, "*b"]]
    scale: Float64[np.ndarray, "*b"]
    shift: Float64[np.ndarray, "*b"]
    fitted_in: str
    clip: tuple[float, float] | None
    status: Shaped[np.ndarray, "*b"]
    reason: Shaped[np.ndarray, "*b"]
    valid_pixels: Int64[np.ndarray, "*b"]


def score(
    prediction: Array,
    depth: Array,
    *,
    space: OutputSpace | str = "affine_disparity",
    protocol: EvalProtocol | str = "affine_disparity",
    valid: Array | None = None,
    intrinsics: Array | None = None,
    depth_range: Range | None = None,
) -> ArrayScores:
    """Score predicted maps under a published protocol, to the digits that a run would record.

    Maps are taken in float32, as a run takes them, and scored in float64. A prediction of another size than depth is
    brought to its size bilinearly (half-pixel centres, no antialiasing); ground truth is never resampled.

    Args:
        prediction: numpy or torch, one image (h, w) or a batch (b, h, w) or (b, 1, h, w), in the units of `space`.
        depth: the same for true z-depth in metres; zero, negative and non-finite values are not measured.
        space: what is unknown about the prediction: metric_depth, scale_invariant_depth, affine_depth or
            affine_disparity.
        protocol: name of a shipped one (`python -m src.protocols` lists them), or an object.
        valid: bool, of the shape of depth; pixels that may count. None for all that are measured.
        intrinsics: (3, 3) or (b, 3, 3), pixels of the grid of depth, pixel centres at integer + 0.5; for protocols that
            compare points.
        depth_range: (nearest, farthest) in metres of the data set: true depth strictly between them counts, and
            protocols clip to it. None for no limit, which is not what a published protocol does on its data.

    Returns:
        Errors, fit and status of each image.

    Raises:
        ConfigError: if there is no such protocol or space, the one cannot score the other, or it needs annotations.
        PredictionError, DataError: if the arrays do not fit.
    """
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    sample = sample_of(depth, valid=valid, intrinsics=intrinsics, depth_range=depth_range)
    predicted = prediction_of(prediction, sample, space)
    with torch.no_grad():
        columns = columns_of({chosen.name: chosen.evaluate(predicted, sample)}).cpu()
    records = scored_rows({chosen.name: chosen}, sample, predicted, columns, [0.0] * len(sample))
    return _gathered(chosen, records, sample.depth_range, one=is_one_image(depth))


def _gathered(
    protocol: EvalProtocol, records: Sequence[SampleRecord], depth_range: tuple[float, float], *, one: bool
) -> ArrayScores:
    def column(values: Sequence[object], dtype: type) -> np.ndarray:
        array: np.ndarray = np.array([np.nan if value is None else value for value in values], dtype)
        return array.reshape(()) if one else array

    return ArrayScores(
        protocol=protocol.name,
        protocol_version=protocol.version,
        errors={name: column([record.errors[name] for record in records], float) for name in protocol.metric_names},
        scale=column([record.scale for record in records], float),
        shift=column([record.shift for record in records], float),
        fitted_in=protocol.fitted_in.value,
        clip=protocol.clip_bounds(depth_range),
        status=column([record.status for record in records], str),
        reason=column([record.reason for record in records], str),
        valid_pixels=column([record.valid_pixels for record in records], np.int64),
    )
