"""Errors of points in space, relative to their distance or to the size of the object they lie on.

Wang et al. 2025 (MoGe). In every formula p is a predicted and g the true point, in metres, and d the largest extent of
an object's true points along an axis. Every function returns two numbers, the relative error (fraction, lower is
better) and the share of points with a small one (fraction, higher is better); NaN for an empty mask and for a
prediction that is not finite.
"""

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from src.metrics.functional import point_fits

Points = Float[Tensor, "n 3"]
TwoErrors = Float[Tensor, " 2"]

LEAST_PIXELS, LEAST_CELLS, MOST_SEGMENTS = 1000, 10, 100
"""Segments of fewer pixels, or of fewer points on the grid of the fit, or beyond so many largest do not count."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """The points of all n pixels of one image.

    Attributes:
        predicted: (n, 3) metres.
        true: (n, 3) metres.
        valid: (n,) the pixels that count.
        grid: (m,) positions of the valid pixels that fits are made on.
    """

    predicted: Points
    true: Points
    valid: Bool[Tensor, " n"]
    grid: Int[Tensor, " m"]

    def is_defined(self) -> bool:
        """Whether there is a valid pixel and every valid prediction is finite."""
        return bool(self.valid.any()) and bool(self.predicted[self.valid].isfinite().all())

    def on_grid(self) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m 3"], Float[Tensor, " m"]]:
        """Return predicted and true points of the fit and their weights, 1 / |g|."""
        true = self.true[self.grid]
        return self.predicted[self.grid], true, 1 / true.norm(dim=1)


def after_shift(scene: Scene) -> TwoErrors:
    """Mean of |p - g| / |g| and share with |p - g| < 0.25 min(|g|, |p|), after the best shift of the prediction."""
    return _relative(scene, lambda x: x + point_fits.shift(*scene.on_grid()))


def after_scale(scene: Scene) -> TwoErrors:
    """Mean of |p - g| / |g| and share with |p - g| < 0.25 min(|g|, |p|), after the best scale of the prediction."""
    return _relative(scene, lambda x: x * point_fits.scale(*scene.on_grid()))


def after_scale_and_shift(scene: Scene) -> TwoErrors:
    """Mean of |p - g| / |g| and share with |p - g| < 0.25 min(|g|, |p|), after the best scale and shift."""

    def move(x: Points) -> Points:
        scale, shift = point_fits.scale_and_shift(*scene.on_grid())
        return scale * x + shift

    return _relative(scene, move)


def _relative(scene: Scene, move: Callable[[Points], Points]) -> TwoErrors:
    if not scene.is_defined():
        return scene.predicted.new_full((2,), torch.nan)
    p, g = move(scene.predicted[scene.valid]), scene.true[scene.valid]
    error, distance = (p - g).norm(dim=1), g.norm(dim=1)
    inside = error < 0.25 * torch.minimum(distance, p.norm(dim=1))
    # the paper's evaluator adds 1e-6 m
    return torch.stack([(error / (distance + 1e-6)).mean(), inside.double().mean()])


def in_segments(scene: Scene, labels: Int[Tensor, " n"]) -> TwoErrors:
    """Mean over segments of the mean of |p - g| / d and of the share with |p - g| < 0.25 d, each segment fitted alone.

    The fit is of scale and shift, all points weighing alike. The 100 largest segments of at least 1000 pixels, valid
    or not, count, if they have at least ten points on the grid.

    Args:
        scene: the points.
        labels: (n,) segment of each pixel, 0 for none.

    Returns:
        (2,) NaN where no segment counts.
    """
    rows = []
    for label in _largest(labels) if scene.is_defined() else ():
        fitted = scene.grid[labels[scene.grid] == label]
        if len(fitted) < LEAST_CELLS:
            continue
        p, g = scene.predicted[fitted], scene.true[fitted]
        scale, shift = point_fits.scale_and_shift(p, g, torch.ones_like(g[:, 0]))
        member = scene.valid & (labels == label)
        true = scene.true[member]
        diameter = (true.amax(0) - true.amin(0)).max()
        error = (scale * scene.predicted[member] + shift - true).norm(dim=1)
        rows.append(torch.stack([(error / diameter).mean(), (error < 0.25 * diameter).double().mean()]))
    return torch.stack(rows).mean(0) if rows else scene.predicted.new_full((2,), torch.nan)


def _largest(labels: Int[Tensor, " n"]) -> list[int]:
    found, sizes = torch.unique(labels, return_counts=True)
    large = (found > 0) & (sizes >= LEAST_PIXELS)
    order = sizes[large].argsort(descending=True, stable=True)
    largest: list[int] = found[large][order][:MOST_SEGMENTS].tolist()
    return largest
