"""Corruptions by optics, by motion and by distortion."""

import math

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

Image = Float64[np.ndarray, "h w 3"]


def defocus_blur(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Convolve with a disc, softened at its rim."""
    radius, softness = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity - 1]
    offset = np.arange(-radius - 2, radius + 3)
    disc = (offset[:, None] ** 2 + offset[None, :] ** 2 <= radius**2).astype(np.float64)
    kernel = ndimage.gaussian_filter(disc / disc.sum(), softness)
    return np.stack([ndimage.convolve(image[..., c], kernel, mode="mirror") for c in range(3)], axis=2)


def glass_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Blur, exchange pixels with near ones, blur again.

    Here all pixels take the value of a random neighbour at once, a few times over; in ImageNet-C pairs are swapped one
    after the other, so that a value may wander farther.
    """
    sigma, shift, times = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    height, width = image.shape[:2]
    blurred = _blurred(image, sigma)
    rows, columns = np.indices((height, width))
    for _ in range(times):
        down, right = rng.integers(-shift, shift, (2, height, width))
        blurred = blurred[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)]
    return _blurred(blurred, sigma)


def motion_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Average along a line of random direction within 45 degrees of the horizontal."""
    radius, sigma = ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0))[severity - 1]
    return moved(image, radius, sigma, rng.uniform(-45, 45))


def zoom_blur(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Average the image and its centred enlargements, as if moving forward."""
    end, step = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))[severity - 1]
    factors = np.arange(1, end, step)
    return (image + sum(enlarged(image, factor) for factor in factors)) / (len(factors) + 1)


def elastic_transform(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Move every pixel by a smooth random field."""
    strength = 250 * (0.05, 0.065, 0.085, 0.1, 0.12)[severity - 1]
    height, width = image.shape[:2]
    reach = 0.005 * height
    down, right = (
        strength * ndimage.gaussian_filter(rng.uniform(-reach, reach, (height, width)), (0.01 * height, 0.01 * width))
        for _ in range(2)
    )
    rows, columns = np.indices((height, width))
    return _sampled(image, rows + down, columns + right)


def moved(
    image: Float64[np.ndarray, "h w c"], radius: int, sigma: float, degrees: float
) -> Float64[np.ndarray, "h w c"]:
    """Average along a line from each pixel on, of 2 radius + 1 pixels with weights that fall off as a normal curve."""
    weights = np.exp(-0.5 * (np.arange(2 * radius + 1) / sigma) ** 2)
    angle = math.radians(degrees)
    kernel = np.zeros((4 * radius + 1, 4 * radius + 1))
    for step, weight in enumerate(weights / weights.sum()):
        kernel[2 * radius + round(step * math.sin(angle)), 2 * radius + round(step * math.cos(angle))] += weight
    used = kernel.nonzero()
    result = np.zeros_like(image)
    padded = np.pad(image, ((2 * radius,) * 2, (2 * radius,) * 2, (0, 0)), mode="edge")
    height, width = image.shape[:2]
    for row, column in zip(*used, strict=True):
        result += kernel[row, column] * padded[row : row + height, column : column + width]
    return result


def enlarged(image: Float64[np.ndarray, "h w *c"], factor: float) -> Float64[np.ndarray, "h w *c"]:
    """Enlarge about the centre, cropped to the same size; bilinear."""
    height, width = image.shape[:2]
    rows = (np.arange(height) - (height - 1) / 2) / factor + (height - 1) / 2
    columns = (np.arange(width) - (width - 1) / 2) / factor + (width - 1) / 2
    return _sampled(image, *np.meshgrid(rows, columns, indexing="ij"))


def _sampled(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    channels = image[..., None] if image.ndim == 2 else image
    taken = [
        ndimage.map_coordinates(channels[..., c], (rows, columns), order=1, mode="reflect")
        for c in range(channels.shape[2])
    ]
    return np.stack(taken, axis=2).reshape(image.shape)


def _blurred(image: Image, sigma: float) -> Image:
    result: np.ndarray = ndimage.gaussian_filter(image, (sigma, sigma, 0))
    return result
