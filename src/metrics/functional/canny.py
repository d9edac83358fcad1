"""Canny's edge detector on the host, with the choices of scikit-image that published depth evaluators rely on."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

Image = Float[np.ndarray, "h w"]


def canny(image: Image, *, sigma: float, low: float = 0.1, high: float = 0.2) -> Bool[np.ndarray, "h w"]:
    """Find thin edges. Canny, "A computational approach to edge detection", 1986.

    A Gaussian that sees no further than the image, Sobel's unnormalised gradient, local maxima of its magnitude along
    its direction, interpolated linearly between neighbouring pixels, and hysteresis: a connected edge of at
    least `low` everywhere stays if it reaches `high` somewhere. The outermost pixels are never edges.

    Args:
        image: (h, w); a non-finite value erases the edges around it.
        sigma: of the Gaussian, in pixels; cut at four sigma.
        low: least magnitude of an edge pixel, in units of the image (an unsmoothed step of height 1 has 4).
        high: least magnitude that every connected edge must reach.

    Returns:
        (h, w) bool.
    """
    image = np.where(np.isfinite(image), image, np.nan).astype(np.float64)
    seen = ndimage.gaussian_filter(np.ones_like(image), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(image, sigma, mode="constant") / seen
    rows, columns = ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)
    magnitude = np.hypot(rows, columns)
    edges = _is_largest_along_gradient(magnitude, rows, columns) & (magnitude >= low)
    parts, number = ndimage.label(edges, np.ones((3, 3)))
    strong = np.zeros(number + 1, dtype=bool)
    strong[parts[edges & (magnitude >= high)]] = True
    kept: Bool[np.ndarray, "h w"] = strong[parts]
    return kept


def _is_largest_along_gradient(magnitude: Image, rows: Image, columns: Image) -> Bool[np.ndarray, "h w"]:
    """Whether no point one step up or down the gradient is steeper, on inner pixels with a gradient."""
    inner = np.zeros(magnitude.shape, dtype=bool)
    inner[1:-1, 1:-1] = magnitude[1:-1, 1:-1] > 0
    position = np.argwhere(inner).T
    gradient = np.stack([rows[inner], columns[inner]])
    # to the boundary of the eight neighbours, where interpolation is between two of them
    step = gradient / np.abs(gradient).max(0)
    both_sides = (ndimage.map_coordinates(magnitude, position + way * step, order=1) for way in (1, -1))
    largest = np.zeros_like(inner)
    largest[inner] = np.logical_and(*(beside <= magnitude[inner] for beside in both_sides))
    return largest
