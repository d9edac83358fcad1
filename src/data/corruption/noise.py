"""Corruptions by noise of the sensor and of its electronics."""

import numpy as np
from jaxtyping import Float64

Image = Float64[np.ndarray, "h w 3"]


def gaussian_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Add normal noise to every value."""
    return image + rng.normal(0, (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1], image.shape)


def shot_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Count few photons: Poisson noise."""
    return _counted(image, (60, 25, 12, 5, 3)[severity - 1], rng)


def impulse_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Replace a share of the values by 0 or 1, evenly (salt and pepper)."""
    hit = rng.random(image.shape) < (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    return np.where(hit, rng.integers(0, 2, image.shape).astype(np.float64), image)


def iso_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Count 25 photons, then add normal noise that grows with the amplification."""
    sigma = 0.7 * (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    result: Image = np.clip(_counted(image, 25, rng), 0, 1) + rng.normal(0, sigma, image.shape)
    return result


def dark(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Under-expose: stretch from 0 to a maximum with gamma 2, count photons, add noise."""
    brightest = (0.6, 0.5, 0.4, 0.3, 0.2)[severity - 1]
    photons = (600, 250, 120, 50, 30)[severity - 1]
    sigma = (0.008, 0.012, 0.018, 0.026, 0.038)[severity - 1]
    low, high = image.min(), image.max()
    exposed = brightest * ((image - low) / (high - low if high > low else 1.0)) ** 2
    result: Image = np.clip(_counted(exposed, photons, rng), 0, 1) + rng.normal(0, sigma, image.shape)
    return result


def _counted(image: Image, photons: int, rng: np.random.Generator) -> Image:
    return rng.poisson(image * photons) / photons
