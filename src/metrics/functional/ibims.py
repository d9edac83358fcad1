"""Where predicted depth breaks and on which side of a distance it falls, as the iBims-1 benchmark measures it.

Koch et al., "Evaluation of CNN-based single-image depth estimation methods", 2018; their Python evaluator, version
0.9, whose Canny detector is not the one the paper used.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from src.metrics.functional.canny import canny
from src.metrics.functional.residuals import PerImage, Residuals

Image = Float[np.ndarray, "h w"]
Edges = Bool[np.ndarray, "h w"]

FAR = 10.0
"""Pixels. Predicted edges at least this far from every true edge do not count."""


def same_side(errors: Residuals, *, distance: float) -> PerImage:
    """Directed depth error, right: fraction of pixels with (p <= distance) = (g <= distance). Higher is better."""
    return _share((errors.depth <= distance) == (errors.target <= distance), errors)


def too_near(errors: Residuals, *, distance: float) -> PerImage:
    """Directed depth error, minus: fraction of pixels with p <= distance < g. Lower is better."""
    return _share((errors.depth <= distance) & (errors.target > distance), errors)


def too_far(errors: Residuals, *, distance: float) -> PerImage:
    """Directed depth error, plus: fraction of pixels with g <= distance < p. Lower is better."""
    return _share((errors.depth > distance) & (errors.target <= distance), errors)


def _share(pixels: Bool[Tensor, "b n"], errors: Residuals) -> PerImage:
    return (pixels & errors.mask).sum(1) / errors.n


def ibims_edges(depth: Image) -> Edges:
    """Canny edges of depth brought to 0 .. 1, with sigma sqrt(2); none where depth is constant.

    Depth that is 0 or not finite is missing, and so are edges around it.
    """
    measured = np.where(np.isfinite(depth) & (depth != 0), depth, np.nan)
    nearest, farthest = np.nanmin(measured, initial=np.inf), np.nanmax(measured, initial=-np.inf)
    if not nearest < farthest:
        return np.zeros(depth.shape, dtype=bool)
    return canny((measured - nearest) / (farthest - nearest), sigma=math.sqrt(2))


def log_depth_edges(depth: Image) -> Edges:
    """Canny edges of ln depth with sigma 1. Spencer et al. 2022 (MDEC, SYNS-Patches). Depth <= 0 has ln depth 0."""
    return canny(np.log(np.where(depth > 0, depth, 1.0)), sigma=1.0)


def edge_distances(predicted: Edges, true: Edges) -> tuple[float, float]:
    """Depth boundary errors. Pixels, lower is better.

    Returns:
        Accuracy: mean distance to the nearest true edge, of the predicted edges closer than `FAR`.
        Completeness: mean distance to the nearest predicted edge, of the true edges.
        Both are `FAR` where no predicted edge is that close, and NaN where there is no true edge.

    >>> true, predicted = np.zeros((2, 3, 20), dtype=bool)
    >>> true[1, 2], predicted[1, [3, 15]] = True, True
    >>> edge_distances(predicted, true)
    (1.0, 1.0)
    """
    if not true.any():
        return math.nan, math.nan
    to_true = ndimage.distance_transform_edt(~true)
    close = predicted & (to_true < FAR)
    if not close.any():
        return FAR, FAR
    return float(to_true[close].mean()), float(ndimage.distance_transform_edt(~predicted)[true].mean())
