"""Fits of predicted to true points that minimise weighted absolute errors, as MoGe's evaluator makes them.

Wang et al. 2025 (MoGe), without truncation. In every function: `points` x and `target` y are (n, 3) of one image in
metres, `weight` w is (n,), positive; sums run over points and axes.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core.weighted_median import weighted_median

Points = Float[Tensor, "n 3"]
Weight = Float[Tensor, " n"]

_SCALES, _ROUNDS = 64, 4
"""Scales tried at once, and how often their range is narrowed, before anchors are compared exactly."""
_ANCHORS_AT_ONCE = 256
"""Bounds memory."""
_ROUNDING = 1e-12
"""Of the largest coordinate: distances smaller than that are none."""


def shift(points: Points, target: Points, weight: Weight) -> Float[Tensor, " 3"]:
    """Minimise sum w abs(x + t - y) over the shift t."""
    difference = (target - points).mT.contiguous()
    return difference.gather(1, weighted_median(difference, weight.expand(3, -1))[:, None]).squeeze(1)


def scale(points: Points, target: Points, weight: Weight) -> Float[Tensor, ""]:
    """Minimise sum w abs(s x - y) over the scale s."""
    return _scales(points.reshape(1, -1), target.reshape(1, -1), weight).squeeze(0)


def scale_and_shift(points: Points, target: Points, weight: Weight) -> tuple[Float[Tensor, ""], Float[Tensor, " 3"]]:
    """Minimise sum w abs(s x + t - y) over the scale s and the shifts t that map some point onto its target.

    (The best shift of all could differ, since every axis has a median of its own.) The objective of one such anchor
    is convex in s, its minimum a weighted median; anchors that cannot be the best are left out first.
    """
    anchors = _possible_anchors(points, target, weight).nonzero()[:, 0]
    scales, losses = [], []
    for some in torch.split(anchors, _ANCHORS_AT_ONCE):
        x, y = ((values - values[some][:, None]).flatten(1) for values in (points, target))
        s = _scales(x, y, weight)
        scales.append(s)
        losses.append((weight.repeat_interleave(3) * (s[:, None] * x - y).abs()).sum(1))
    best = torch.cat(losses).argmin()
    s, anchor = torch.cat(scales)[best], anchors[best]
    return s, target[anchor] - s * points[anchor]


def _scales(x: Float[Tensor, "k m"], y: Float[Tensor, "k m"], weight: Weight) -> Float[Tensor, " k"]:
    """Minimise sum w abs(s x - y) in every row; coordinates of one point follow one another."""
    ratio = torch.where(x != 0, y / x, 0.0)
    return ratio.gather(1, weighted_median(ratio, weight.repeat_interleave(3) * x.abs())[:, None]).squeeze(1)


def _possible_anchors(points: Points, target: Points, weight: Weight) -> Bool[Tensor, " n"]:
    """Points that may be the best anchor: every other one is worse at every scale than some anchor at some scale.

    The objective of all anchors at one scale costs a sort. Between two scales it differs by no more than their
    difference times sum w abs(x - x_anchor), which bounds the objective around every scale that is tried; a scale as
    far from the first guess as `reach` has a worse objective than the guess.
    """
    spread = _sums_of_distances(points.mT, weight).sum(0)
    possible = torch.ones_like(weight, dtype=torch.bool)
    if spread.min() <= _ROUNDING * weight.sum() * points.abs().max():  # all in one place: no scale is too far
        return possible
    middle = torch.stack([_medians(values, weight) for values in (points, target)])
    guess = scale(points - middle[0], target - middle[1], weight)
    least = _objectives(points, target, weight, guess[None]).min()
    rounding = _ROUNDING * weight.sum() * target.abs().max()
    reach = 2 * (least + rounding) / spread.min()
    low, high = guess - reach, guess + reach
    for _ in range(_ROUNDS):
        step = (high - low) / (_SCALES - 1)
        scales = low + step * torch.arange(_SCALES, device=low.device)
        objectives = _objectives(points, target, weight, scales)
        least = torch.minimum(least, objectives.min())
        open_ = (objectives - spread * step / 2 <= least + rounding) & possible
        possible = open_.any(0)
        tried = scales[open_.any(1)]
        low, high = tried.min() - step / 2, tried.max() + step / 2
    # all as good as the best, as after a perfect prediction: any of them will do
    interchangeable = step * spread.max() <= rounding
    return possible & (possible.cumsum(0) == 1) if interchangeable else possible


def _objectives(points: Points, target: Points, weight: Weight, scales: Float[Tensor, " k"]) -> Float[Tensor, "k n"]:
    """Sum w abs((y - s x) - (y - s x) of the anchor) for every scale s and every point as the anchor."""
    residual = target.mT - scales[:, None, None] * points.mT
    return _sums_of_distances(residual.flatten(0, 1), weight).reshape(len(scales), 3, -1).sum(1)


def _medians(values: Points, weight: Weight) -> Float[Tensor, " 3"]:
    rows = values.mT.contiguous()
    return rows.gather(1, weighted_median(rows, weight.expand(3, -1))[:, None]).squeeze(1)


def _sums_of_distances(values: Float[Tensor, "k n"], weight: Weight) -> Float[Tensor, "k n"]:
    """Sum over i of w_i abs(v_i - v_j) for every j of every row, by prefix sums of the sorted row."""
    ordered, order = values.sort(dim=1)
    w = weight[order]
    below, moment = w.cumsum(1), (w * ordered).cumsum(1)
    sums = ordered * (2 * below - below[:, -1:]) + moment[:, -1:] - 2 * moment
    return torch.zeros_like(values).scatter(1, order, sums)
