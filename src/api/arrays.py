"""Arrays of a user, numpy or torch, as the batches that protocols score."""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core.errors import ConfigError, DataError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.resize import resize
from src.core.sample import Sample

Array: TypeAlias = np.ndarray | Tensor
"""One image (h, w), or a batch (b, h, w) or (b, 1, h, w)."""

Range: TypeAlias = Sequence[int | float]
"""(nearest, farthest) in metres."""

UNLIMITED: Final = (0.0, math.inf)


def is_one_image(depth: Array) -> bool:
    """Whether an array is a single image (h, w)."""
    return getattr(depth, "ndim", 0) == 2


def sample_of(
    depth: Array,
    *,
    valid: Array | None = None,
    intrinsics: Array | None = None,
    depth_range: Range | None = None,
    index: Sequence[int] | None = None,
) -> Sample:
    """Make a batch of ground truth; of images that do not matter, zeros.

    Args:
        depth: z-depth in metres, floating point; zero, negative and non-finite values are not measured.
        valid: bool, of the same shape; pixels that may count. None for all.
        intrinsics: (3, 3) of all images or (b, 3, 3), pixels, pixel centres at integer + 0.5.
        depth_range: (nearest, farthest) in metres: what counts lies strictly between, and protocols clip to it. None
            for no limit.
        index: number of each image in its data set; None for 0, 1, 2 ...

    Raises:
        DataError: if shapes or types do not fit.
        ConfigError: if the range is none.
    """
    truth = _maps(depth, "depth", DataError)
    if not truth.is_floating_point():
        msg = (
            f"depth: expected floating-point metres, got {truth.dtype}; convert stored integers with the scale of "
            "their data set, such as depth / 1000.0"
        )
        raise DataError(msg)
    nearest, farthest = UNLIMITED if depth_range is None else _range(depth_range)
    truth = truth.float()
    counts = (truth > nearest) & (truth < farthest)  # NaN compares false
    if valid is not None:
        counts &= _mask(valid, truth)
    b = len(truth)
    names = tuple(range(b)) if index is None else tuple(int(i) for i in index)
    if len(names) != b:
        msg = f"index: expected a number for each of {b} images, got {len(names)}"
        raise DataError(msg)
    return Sample(
        image=torch.zeros((), dtype=torch.uint8, device=truth.device).expand(b, 3, *truth.shape[-2:]),
        depth=torch.where(counts, truth, 0.0),
        valid=counts,
        depth_range=(nearest, farthest),
        sample_id=tuple(f"image {i}" for i in names),
        index=names,
        cluster=("",) * b,
        slice=("",) * b,
        intrinsics=None if intrinsics is None else _cameras(intrinsics, truth),
    )


def prediction_of(values: Array, sample: Sample, space: OutputSpace | str) -> Prediction:
    """Bring predicted maps to the grid of the ground truth: bilinearly, half-pixel centres, no antialiasing.

    Args:
        values: as predicted, in the units of `space`; of any size.
        sample: that they are for.
        space: value of an `OutputSpace`.

    Raises:
        PredictionError: if shapes or types do not fit.
        ConfigError: if there is no such space.
    """
    maps = _maps(values, "prediction", PredictionError).detach()
    if maps.dtype == torch.bool or maps.is_complex():
        msg = f"prediction: expected real numbers, got {maps.dtype}"
        raise PredictionError(msg)
    if len(maps) != len(sample):
        msg = f"prediction: expected a map for each of {len(sample)} images of depth, got {len(maps)}"
        raise PredictionError(msg)
    if maps.device != sample.depth.device:
        msg = f"prediction: expected it where depth is, on {sample.depth.device}, got {maps.device}; move one of them"
        raise PredictionError(msg)
    size = (maps.shape[-2], maps.shape[-1])
    values = resize(maps.float(), sample.size, mode="bilinear")
    return Prediction(values=values, space=OutputSpace.named(space), input_size=size)


def _maps(values: Array, what: str, error: type[DataError | PredictionError]) -> Tensor:
    """Return (b, 1, h, w) of any type of numbers, sharing memory where that goes."""
    if isinstance(values, Tensor):
        maps = values
    elif isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        maps = torch.from_numpy(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")))
    else:
        kind = f"numpy array of {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
        msg = f"{what}: expected a numpy array or torch tensor of numbers, got a {kind}"
        raise error(msg)
    shape = tuple(maps.shape)
    if len(shape) == 4 and shape[1] == 1:
        maps = maps[:, 0]
    if len(shape) == 2:
        maps = maps[None]
    if maps.ndim != 3 or 0 in maps.shape:
        msg = f"{what}: expected one image (h, w), or a batch (b, h, w) or (b, 1, h, w), got shape {shape}"
        raise error(msg)
    return maps[:, None]


def _mask(valid: Array, depth: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 h w"]:
    mask = _maps(valid, "valid", DataError)
    if mask.dtype != torch.bool:
        msg = f"valid: expected bool, true where a pixel counts, got {mask.dtype}; write valid > 0, say"
        raise DataError(msg)
    if mask.shape != depth.shape:
        msg = f"valid: expected the shape of depth, {_shape(depth)}, got {_shape(mask)}"
        raise DataError(msg)
    return mask.to(depth.device)


def _shape(maps: Tensor) -> tuple[int, ...]:
    return (len(maps), *maps.shape[-2:])


def _cameras(intrinsics: Array, depth: Tensor) -> Float[Tensor, "b 3 3"]:
    cameras = torch.as_tensor(intrinsics, dtype=torch.float32, device=depth.device)
    if tuple(cameras.shape) not in ((3, 3), (len(depth), 3, 3)):
        msg = f"intrinsics: expected shape (3, 3) or ({len(depth)}, 3, 3), got {tuple(cameras.shape)}"
        raise DataError(msg)
    return cameras.expand(len(depth), 3, 3)


def _range(bounds: Range) -> tuple[float, float]:
    try:
        nearest, farthest = map(float, bounds)
    except (TypeError, ValueError):  # no pair of numbers
        nearest, farthest = math.nan, math.nan
    if not 0 <= nearest < farthest:
        msg = f"depth_range: expected 0 <= nearest < farthest in metres, such as (0.001, 10.0), got {bounds!r}"
        raise ConfigError(msg)
    return nearest, farthest
