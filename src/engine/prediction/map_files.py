"""One predicted map as files: exact, for other tools, for the eye, and as points in space."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, PngImagePlugin

from src.core.prediction import OutputSpace
from src.report.drawing.pictures import DEPTH_COLOURS, colour_depth

FORMATS = {"npy": ".npy", "png16": ".png", "colour": ".png", "ply": ".ply"}
"""Each lies in a folder of its own, so that a folder holds one file for an image."""

_STEPS = (0.001, 1 / 256, 0.01, 0.1)  # metres: millimetres as sensors store, KITTI's, and for what reaches farther
_LARGEST = 65535  # of 16 bits


def write_npy(path: Path, values: Float32[np.ndarray, "h w"]) -> dict[str, Any]:
    """Write the values as they are, float32; NaN and infinity included."""
    np.save(path, values)
    return {}


def write_png16(path: Path, values: Float32[np.ndarray, "h w"], space: OutputSpace) -> dict[str, Any]:
    """Write a 16-bit grey PNG whose text chunks say what its integers mean: value = scale x integer + offset.

    0 is kept for values that are not finite. Depth keeps its origin (offset 0, and 0 also for values that are not
    positive), metric depth in round steps of millimetres or more; values with an unknown shift use all integers.

    Returns:
        The scale and offset.
    """
    finite = np.isfinite(values)
    within = values[finite].astype(np.float64)
    low, high = (float(within.min()), float(within.max())) if within.size else (0.0, 1.0)
    offset = 0.0
    if space is OutputSpace.METRIC_DEPTH:
        scale = next((step for step in _STEPS if high <= step * _LARGEST), high / _LARGEST)
    elif space is OutputSpace.SCALE_INVARIANT_DEPTH:
        scale = high / _LARGEST if high > 0 else 1.0
    else:
        scale = (high - low) / (_LARGEST - 1) if high > low else 1.0
        offset = low - scale
    stored = np.round((np.where(finite, values, 0).astype(np.float64) - offset) / scale)
    known = finite & ((values > 0) | (offset != 0))
    stored = np.where(known, np.clip(stored, 1, _LARGEST), 0).astype(np.uint16)
    unit = "m" if space is OutputSpace.METRIC_DEPTH else "unknown"
    meaning = {"space": space.value, "scale": repr(scale), "offset": repr(offset), "unit": unit}
    _save_png(path, Image.fromarray(stored), {**meaning, "meaning": "value = scale * integer + offset; 0 is no value"})
    return {"scale": scale, "offset": offset}


def write_colour(path: Path, values: Float32[np.ndarray, "h w"], space: OutputSpace) -> dict[str, Any]:
    """Write an 8-bit picture in the report's colours: light is near, dark is far, green is not finite.

    Colours are linear in the values, depth or disparity, between the points that 2 % and 98 % of them lie below; what
    lies beyond takes the colour of the end.

    Returns:
        The values in the nearest and the farthest colour.
    """
    limits = colour_limits(values, space)
    pixels = colour_depth(values, np.ones(values.shape, dtype=bool), limits)
    meaning = {
        "space": space.value,
        "colours": f"{DEPTH_COLOURS}: light is near ({limits[0]:.6g}), dark is far ({limits[1]:.6g}), green not finite",
    }
    _save_png(path, Image.fromarray(pixels), meaning)
    return {"nearest": limits[0], "farthest": limits[1]}


def colour_limits(values: Float32[np.ndarray, "h w"], space: OutputSpace) -> tuple[float, float]:
    """Return the values in the nearest and the farthest colour, which differ."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(bound) for bound in np.quantile(finite, (0.02, 0.98))) if finite.size else (0.0, 1.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return (high, low) if space.is_disparity else (low, high)


def write_ply(
    path: Path,
    depth: Float32[np.ndarray, "h w"],
    image: UInt8[np.ndarray, "h w 3"],
    camera: Float32[np.ndarray, "3 3"],
    *,
    is_metric: bool,
) -> dict[str, Any]:
    """Write one coloured point per pixel of positive, finite depth: x right, y down, z forward from the camera.

    Args:
        path: of the file, binary PLY.
        depth: (h, w) z-depth.
        image: (h, w, 3) colours.
        camera: (3, 3) intrinsics in pixels, pixel centres at integer + 0.5.
        is_metric: whether lengths are metres; else they share one unknown factor, which the header says.

    Returns:
        The number of points.
    """
    known = np.isfinite(depth) & (depth > 0)
    rows, columns = np.nonzero(known)
    z = depth[known].astype(np.float64)
    y = (rows + 0.5 - camera[1, 2]) / camera[1, 1] * z
    x = (columns + 0.5 - camera[0, 2] - camera[0, 1] * (y / z)) / camera[0, 0] * z
    points = np.empty(len(z), [*((axis, "<f4") for axis in "xyz"), *((c, "u1") for c in ("red", "green", "blue"))])
    for name, column in zip(points.dtype.names or (), (x, y, z, *image[known].T), strict=True):
        points[name] = column
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment lengths in {'metres' if is_metric else 'an unknown unit, the same for all points'}",
        "comment x right, y down, z forward",
        f"element vertex {len(points)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        "end_header",
    ]
    path.write_bytes("\n".join([*header, ""]).encode("ascii") + points.tobytes())
    return {"points": len(points)}


def _save_png(path: Path, picture: Image.Image, texts: Mapping[str, str]) -> None:
    chunks = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        chunks.add_text(key, text)
    picture.save(path, "PNG", pnginfo=chunks)
