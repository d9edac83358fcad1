"""Maps of metres -> text that a page unpacks to read single pixels and to draw points: small, and honest about it."""

import base64
import zlib
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, UInt16

NEAREST: Final = 1e-3
"""Metres of the smallest code; what is nearer takes it too."""
STEP: Final = 2.5e-4
"""Natural logarithm of the ratio of neighbouring codes: a value is kept to within half of it, 0.0125 %."""
UNKNOWN: Final = 0
BROKEN: Final = 65535
LONGER_SIDE: Final = 240


def stride(size: tuple[int, int]) -> int:
    """Return which pixels of a map are kept: every n-th, from n // 2 on."""
    return -(-max(size) // LONGER_SIDE)


def quantise(depth: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """Write metres as whole numbers that grow with their logarithm.

    Args:
        depth: (h, w) metres.
        known: (h, w), False becomes UNKNOWN. Known but not finite becomes BROKEN.
    """
    finite = np.isfinite(depth)
    metres = np.where(finite, depth, 1).astype(np.float64)
    code = np.rint(np.log(np.maximum(metres, NEAREST) / NEAREST) / STEP) + 1
    code = np.where(finite, np.clip(code, UNKNOWN + 1, BROKEN - 1), BROKEN)
    return np.where(known, code, UNKNOWN).astype(np.uint16)


def metres(codes: UInt16[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the metres of codes; NaN where unknown or broken."""
    usable = (codes != UNKNOWN) & (codes != BROKEN)
    return np.where(usable, NEAREST * np.exp(STEP * (codes.astype(np.float64) - 1)), np.nan)


def pack(codes: UInt16[np.ndarray, "h w"]) -> str:
    """Return codes as text: differences along the rows, high bytes before low bytes, deflated, base64.

    The page's script holds the way back.
    """
    flat = codes.ravel()
    steps = np.diff(flat, prepend=np.uint16(0))  # wraps around, on both ways
    planes = np.concatenate([steps >> 8, steps & 255]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")
