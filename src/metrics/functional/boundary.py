"""Occlusion boundaries: steps in depth between neighbouring pixels that are large relative to the depth itself.

An ordered pair of neighbours (i, j) is an edge at threshold t where j is farther: z_j / z_i > t, which is the same as
inverse depth of i over that of j. Scale changes nothing, shift does. Per threshold, precision is the share of
predicted edges that are true ones and recall the share of true edges that are predicted; a share of nothing is 0.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
PerImage = Float[Tensor, " b"]
Offset = tuple[int, int]

SIDES: tuple[Offset, ...] = ((0, -1), (-1, 0), (0, 1), (1, 0))
"""(rows, columns) to the four adjacent pixels."""


def scale_invariant_f1(depth: Map, target: Map, valid: Mask) -> PerImage:
    """Depth Pro's boundary F1. Fraction, higher is better. Bochkovskii et al. 2025 (Depth Pro).

    F1 of precision and recall, each the mean over the four `SIDES`, then the mean over ten thresholds t evenly
    spaced from 1.05 to 1.25 with weights proportional to t. Depth is floored at 1e-6 m first.

    The paper's code knows no mask, so that holes in the ground truth count as edges there. Here a pair counts only
    where both its pixels are valid: the same on dense ground truth. An image without a true edge scores 0.

    Returns:
        (b,) float64; NaN for an empty mask.
    """
    depth, target = depth.double().clamp_min(1e-6), target.double().clamp_min(1e-6)
    thresholds = torch.linspace(1.05, 1.25, 10, dtype=torch.float64, device=depth.device)
    hits, predicted, true = _edges(depth, target, valid, offsets=SIDES, thresholds=thresholds)
    precision = (hits / predicted.clamp_min(1)).mean(2)
    recall = (hits / true.clamp_min(1)).mean(2)
    return _or_nan(_mean_f1(precision, recall, weights=thresholds), valid)


def pooled_f1(depth: Map, target: Map, valid: Mask, *, radius: int) -> PerImage:
    """MoGe's boundary F1. Fraction, higher is better. Wang et al. 2025 (MoGe-2).

    Neighbours are all pixels within `radius`, both pixels of a pair are valid, and the first is at least `radius`
    from the border. Edges of all directions are counted together; the mean runs over ten thresholds 1 + t, t evenly
    spaced from 0.05 to 0.25, with weights proportional to t. An image without a true edge scores 0.

    Returns:
        (b,) float64; NaN for an empty mask.
    """
    steps = range(-radius, radius + 1)
    disc = tuple((y, x) for y in steps for x in steps if 0 < y * y + x * x <= radius * radius)
    excess = torch.linspace(0.05, 0.25, 10, dtype=torch.float64, device=depth.device)
    hits, predicted, true = (
        counts.sum(2)
        for counts in _edges(depth.double(), target.double(), valid, offsets=disc, thresholds=1 + excess, margin=radius)
    )
    return _or_nan(_mean_f1(hits / predicted.clamp_min(1), hits / true.clamp_min(1), weights=excess), valid)


def matte_recall(depth: Map, foreground: Mask, valid: Mask) -> PerImage:
    """Depth Pro's boundary recall for mattes. Fraction, higher is better. Bochkovskii et al. 2025 (Depth Pro).

    True edges are pairs of a foreground pixel and a background pixel beside it. Predicted edges of each side are
    thinned: of every run of edges along the direction of the step only the first largest is kept. The mean of the
    recall of the four `SIDES`, then of ten thresholds as in `scale_invariant_f1`. An image without a true edge
    scores 0.

    Returns:
        (b,) float64; NaN for an empty mask. (Otherwise the mask has no say: mattes are dense.)
    """
    inverse = 1 / depth.double().clamp_min(1e-6)
    thresholds = torch.linspace(1.05, 1.25, 10, dtype=torch.float64, device=depth.device)
    recalls = []
    for offset in SIDES:
        here, there = ((0, 0), offset, 0), (offset, offset, 0)
        step = _at(inverse, *here) / _at(inverse, *there)
        truth = _at(foreground, *here) & ~_at(foreground, *there)
        if offset[0]:
            step, truth = step.mT, truth.mT
        hits = [masked.count(_peaks(step, threshold) & truth) for threshold in thresholds.unbind()]
        recalls.append(torch.stack(hits, 1).double() / masked.count(truth).clamp_min(1)[:, None])
    recall = torch.stack(recalls).mean(0)
    return _or_nan((recall * thresholds).sum(1) / thresholds.sum(), valid)


def _peaks(step: Map, threshold: Float[Tensor, ""]) -> Mask:
    """Keep the first largest of every run of steps above the threshold, along rows."""
    above = step > threshold
    starts = above & ~F.pad(above, (1, 0))[..., :-1]
    run = starts.cumsum(-1) * above  # the runs of a row from 1 on; 0 is what is not above
    width = step.shape[-1]
    column = torch.arange(width, device=step.device).expand_as(run)
    largest = step.new_zeros(*step.shape[:-1], width + 1).scatter_reduce(-1, run, step, "amax")
    top = above & (step == largest.gather(-1, run))
    first = run.new_full((*step.shape[:-1], width + 1), width)
    first = first.scatter_reduce(-1, run, torch.where(top, column, width), "amin")
    return top & (column == first.gather(-1, run))


def _mean_f1(
    precision: Float[Tensor, "b t"], recall: Float[Tensor, "b t"], *, weights: Float[Tensor, " t"]
) -> PerImage:
    total = precision + recall
    f1 = torch.where(total > 0, 2 * precision * recall / total, 0.0)
    return (f1 * weights).sum(1) / weights.sum()


def _or_nan(score: PerImage, valid: Mask) -> PerImage:
    return torch.where(valid.flatten(1).any(1), score, torch.nan)


def _edges(
    depth: Map,
    target: Map,
    valid: Mask,
    *,
    offsets: tuple[Offset, ...],
    thresholds: Float[Tensor, " t"],
    margin: int = 0,
) -> tuple[Float[Tensor, "b t o"], Float[Tensor, "b t o"], Float[Tensor, "b t o"]]:
    """Count edges by threshold and offset: those in both maps, in `depth` and in `target`; float64."""
    counts = []
    for offset in offsets:
        # A step of 0 is never an edge.
        counted = _at(valid, (0, 0), offset, margin) & _at(valid, offset, offset, margin)
        predicted, true = (
            torch.where(counted, _at(values, offset, offset, margin) / _at(values, (0, 0), offset, margin), 0.0)
            for values in (depth, target)
        )
        for threshold in thresholds.unbind():
            edges, truth = predicted > threshold, true > threshold
            counts += [masked.count(edges & truth), masked.count(edges), masked.count(truth)]
    table = torch.stack(counts, 1).double().reshape(len(depth), len(offsets), len(thresholds), 3)
    hits, edges, truth = table.transpose(1, 2).unbind(3)
    return hits, edges, truth


def _at(values: Tensor, shift: Offset, offset: Offset, margin: int) -> Tensor:
    """View of the pixels `shift` away from every pixel that has a neighbour at `offset` and keeps the margin."""
    (y, x), (height, width) = offset, values.shape[-2:]
    top, left = max(margin, -y), max(margin, -x)
    bottom, right = max(top, height - max(margin, y)), max(left, width - max(margin, x))
    return values[..., top + shift[0] : bottom + shift[0], left + shift[1] : right + shift[1]]
