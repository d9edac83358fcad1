"""The corruptions by name, and their application to an image of bytes."""

import hashlib
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import UInt8

from src.core.errors import ConfigError
from src.data.corruption import blur, colour, noise, weather

CORRUPTIONS: Final = MappingProxyType(
    {
        function.__name__: function
        for function in (
            colour.brightness,
            noise.dark,
            weather.fog,
            weather.frost,
            weather.snow,
            colour.contrast,
            blur.defocus_blur,
            blur.glass_blur,
            blur.motion_blur,
            blur.zoom_blur,
            blur.elastic_transform,
            colour.color_quant,
            noise.gaussian_noise,
            noise.impulse_noise,
            noise.shot_noise,
            noise.iso_noise,
            colour.pixelate,
            colour.jpeg_compression,
        )
    }
)
"""In the order of RoboDepth's tables. NYU-C leaves out fog, frost and snow."""


def corruption_named(name: str, severity: int) -> Callable[..., np.ndarray]:
    """Return the function of that name.

    Raises:
        ConfigError: if there is none, or the severity is not one of 1 to 5.
    """
    if name not in CORRUPTIONS:
        msg = f"corruption: expected none or one of {', '.join(CORRUPTIONS)}, got {name!r}"
        raise ConfigError(msg)
    if severity not in range(1, 6):
        msg = f"severity: expected 1 to 5 for corruption={name}, got {severity!r}"
        raise ConfigError(msg)
    return CORRUPTIONS[name]


def corrupt(image: UInt8[np.ndarray, "h w 3"], name: str, severity: int, sample_id: str) -> UInt8[np.ndarray, "h w 3"]:
    """Corrupt one image; equal arguments give an equal image, in whatever process, order or batch.

    Args:
        image: sRGB; left untouched.
        name: of the corruption.
        severity: 1 to 5.
        sample_id: seeds the noise, together with name and severity.
    """
    function = corruption_named(name, severity)
    seed = hashlib.sha256(f"{name}\0{severity}\0{sample_id}".encode()).digest()
    changed = function(image / 255, severity, np.random.default_rng(int.from_bytes(seed[:16])))
    result: UInt8[np.ndarray, "h w 3"] = np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8)
    return result
