"""Arrays of metres -> pictures whose colours mean the same in every panel that is compared."""

import base64
import io

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from PIL import Image

DEPTH_COLOURS = "magma_r"
ERROR_COLOURS = "RdBu_r"
ERROR_LIMIT = 0.25
"""Relative error of the strongest colours; beyond it a pixel is near the threshold of delta1 or past it."""
INVALID = (128, 128, 128)
BROKEN = (0, 230, 64)
"""A predicted value that is not finite where one was asked for."""
_LEVELS = 101  # odd, so that no error is exactly the middle colour; few, so that pictures compress without loss


def depth_limits(depth: Float[np.ndarray, "h w"], valid: Bool[np.ndarray, "h w"]) -> tuple[float, float] | None:
    """Return the metres shown in the nearest and the farthest colour: the 2 % and 98 % points of the ground truth.

    Args:
        depth: (h, w) metres.
        valid: (h, w).

    Returns:
        (nearest, farthest), different from each other; None where no pixel is valid.
    """
    if not valid.any():
        return None
    nearest, farthest = (float(bound) for bound in np.quantile(depth[valid].astype(np.float64), (0.02, 0.98)))
    return (nearest, farthest) if farthest > nearest else (0.95 * nearest, 1.05 * nearest)


def colour_depth(
    depth: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], limits: tuple[float, float]
) -> UInt8[np.ndarray, "h w 3"]:
    """Colour metres linearly between `limits`; what lies beyond takes the colour of the end.

    Args:
        depth: (h, w) metres.
        known: (h, w), False becomes grey. Known but not finite becomes green.
        limits: (nearest, farthest) metres.
    """
    nearest, farthest = limits
    return _colour((depth.astype(np.float64) - nearest) / (farthest - nearest), known, DEPTH_COLOURS)


def colour_error(
    aligned: Float[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"], valid: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Colour the signed relative error (aligned - depth) / depth: red too far, blue too near, white right.

    Args:
        aligned: (h, w) predicted metres.
        depth: (h, w) true metres.
        valid: (h, w), False becomes grey.
    """
    truth = np.where(valid, depth, 1).astype(np.float64)
    error = (np.where(valid, aligned, 0) - truth) / truth
    return _colour(0.5 + 0.5 * error / ERROR_LIMIT, valid, ERROR_COLOURS)


def colour_bar(colours: str) -> UInt8[np.ndarray, "1 w 3"]:
    """Return one row of pixels with all colours of a map in order."""
    ramp = np.linspace(0, 1, _LEVELS)[None]
    return _colour(ramp, np.ones_like(ramp, dtype=bool), colours)


def data_uri(pixels: UInt8[np.ndarray, "h w 3"], *, lossless: bool) -> str:
    """Encode a picture as WebP inside a URI, so that a page needs no second file."""
    buffer = io.BytesIO()
    # without loss, quality means effort: more than this takes many times longer for a tenth of the size
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=lossless, quality=50 if lossless else 82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _colour(
    position: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], colours: str
) -> UInt8[np.ndarray, "h w 3"]:
    finite = np.isfinite(position)
    level = (np.clip(np.where(finite, position, 0), 0, 1) * (_LEVELS - 1)).round().astype(np.intp)
    palette = colormaps[colours](np.linspace(0, 1, _LEVELS), bytes=True)[:, :3]
    palette = np.concatenate([palette, np.array([INVALID, BROKEN])]).astype(np.uint8)
    index = np.where(known, np.where(finite, level, _LEVELS + 1), _LEVELS)
    return palette[index]
