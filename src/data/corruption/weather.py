"""Corruptions by fog, frost and snow."""

import numpy as np
from jaxtyping import Float64

from src.data.corruption.blur import enlarged, moved

Image = Float64[np.ndarray, "h w 3"]
Map = Float64[np.ndarray, "h w"]


def fog(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Add a plasma fractal of some thickness, and keep the brightest value where it was."""
    thickness, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    brightest = image.max()
    result: Image = (
        (image + thickness * plasma(image.shape[:2], decay, rng)[..., None]) * brightest / (brightest + thickness)
    )
    return result


def frost(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Blend with a picture of frost.

    The five photographs of ImageNet-C are not used: the picture is generated, bluish ridges of a plasma fractal, with
    the published weights. Compare such numbers with each other only.
    """
    kept, laid = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[severity - 1]
    height = plasma(image.shape[:2], 1.6, rng)
    ridges = (1 - np.abs(2 * height - 1)) ** 3
    result: Image = kept * image + laid * ridges[..., None] * np.array([0.85, 0.95, 1.0])
    return result


def snow(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Pale the image and add flakes that fall along a line, twice."""
    mean, deviation, zoom, threshold, radius, sigma, blend = (
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    )[severity - 1]
    flakes = enlarged(rng.normal(mean, deviation, image.shape[:2]), zoom)
    flakes = np.clip(np.where(flakes < threshold, 0.0, flakes), 0, 1)[..., None]
    flakes = moved(flakes, radius, sigma, rng.uniform(-135, -45))
    grey = image @ np.array([0.299, 0.587, 0.114])
    pale = blend * image + (1 - blend) * np.maximum(image, 1.5 * grey[..., None] + 0.5)
    result: Image = pale + flakes + flakes[::-1, ::-1]
    return result


def plasma(size: tuple[int, int], decay: float, rng: np.random.Generator) -> Map:
    """Return a fractal between 0 and 1 by midpoint displacement on a torus.

    Args:
        size: height and width; the fractal is cut from a square whose side is a power of two.
        decay: by which random displacements shrink from one scale to the next; the larger, the smoother.
        rng: draws the displacements.
    """
    side = 1 << (max(size) - 1).bit_length()
    height = np.zeros((side, side))
    step, reach = side, 1.0
    while step >= 2:
        half = step // 2

        def noise(reach: float = reach, n: int = side // step) -> Map:
            return rng.uniform(-reach, reach, (n, n))

        corners = height[::step, ::step]
        right, below = np.roll(corners, -1, 1), np.roll(corners, -1, 0)
        centres = (corners + right + below + np.roll(right, -1, 0)) / 4 + noise()
        height[half::step, half::step] = centres
        above, left = np.roll(centres, 1, 0), np.roll(centres, 1, 1)
        height[::step, half::step] = (corners + right + centres + above) / 4 + noise()
        height[half::step, ::step] = (corners + below + centres + left) / 4 + noise()
        step, reach = half, reach / decay
    height -= height.min()
    result: Map = height[: size[0], : size[1]] / max(height.max(), np.finfo(float).tiny)
    return result
