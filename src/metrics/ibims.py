"""Geometry of a scene as the iBims-1 benchmark measures it: planes, edges, sides of a distance.

The maths is in `src.metrics.functional.planes` and `src.metrics.functional.ibims`.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.depth import PixelMetric
from src.metrics.functional import ibims as F  # noqa: N812
from src.metrics.functional.planes import plane_errors


class DDE0(PixelMetric):
    """Directed depth error: fraction of pixels on their side of 3 m, (p <= 3) = (g <= 3)."""

    name = "dde_0"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.same_side, distance=3.0))


class DDEMinus(PixelMetric):
    """Directed depth error, too near: fraction of pixels with p <= 3 m < g."""

    name = "dde_minus"
    unit = "fraction"
    formula = staticmethod(partial(F.too_near, distance=3.0))


class DDEPlus(PixelMetric):
    """Directed depth error, too far: fraction of pixels with g <= 3 m < p."""

    name = "dde_plus"
    unit = "fraction"
    formula = staticmethod(partial(F.too_far, distance=3.0))


class EdgeMetric(DepthMetric):
    """An error of predicted edges against annotated ones; NaN for an image without a true edge."""

    unit = "pixels"
    higher_is_better = False
    may_be_undefined = True
    requires = ("edges",)
    runs_on_host = True


def ibims_distances(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Depth boundary errors (accuracy, completeness) of iBims-1: over the whole image, valid or not."""
    return _edge_distances(pair, F.ibims_edges, pair.annotation("edges"))


def log_depth_distances(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Edge errors (accuracy, completeness) of MDEC: against the valid true edges."""
    return _edge_distances(pair, F.log_depth_edges, pair.annotation("edges") & pair.sample.valid)


def _edge_distances(
    pair: Comparison, find: Callable[[F.Image], F.Edges], edges: Bool[Tensor, "b 1 h w"]
) -> Float[Tensor, "b 2"]:
    depth = pair.aligned.depth
    images = zip(depth[:, 0].cpu().numpy(), edges[:, 0].cpu().numpy(), strict=True)
    rows = [F.edge_distances(find(predicted), true) for predicted, true in images]
    return torch.tensor(rows, dtype=torch.float64, device=depth.device)


class DBEAccuracy(EdgeMetric):
    """Depth boundary error, accuracy: mean distance from predicted edges of depth to true ones, below 10 px."""

    name = "dbe_accuracy"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `ibims_edges` and `edge_distances`."""
        return pair.once(ibims_distances)[:, 0]


class DBECompleteness(EdgeMetric):
    """Depth boundary error, completeness: mean distance from true edges to predicted edges of depth."""

    name = "dbe_completeness"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `ibims_edges` and `edge_distances`."""
        return pair.once(ibims_distances)[:, 1]


class EdgeAccuracy(EdgeMetric):
    """Edge accuracy of MDEC: mean distance from predicted edges of ln depth to true ones, below 10 px."""

    name = "edge_accuracy"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `log_depth_edges` and `edge_distances`."""
        return pair.once(log_depth_distances)[:, 0]


class EdgeCompleteness(EdgeMetric):
    """Edge completeness of MDEC: mean distance from true edges to predicted edges of ln depth."""

    name = "edge_completeness"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `log_depth_edges` and `edge_distances`."""
        return pair.once(log_depth_distances)[:, 1]


def planarity(pair: Comparison) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b p"]]:
    """Flatness and angle of every annotated plane; NaN where there is none or it is too small."""
    segments, normals, intrinsics = (pair.annotation(name) for name in PlaneMetric.requires)
    return plane_errors(pair.aligned.depth, pair.sample.depth, pair.sample.valid, segments, normals, intrinsics)


class PlaneMetric(DepthMetric):
    """A planarity error, pooled over the planes of the data set; NaN for an image without a plane."""

    higher_is_better = False
    may_be_undefined = True
    requires = ("segments", "plane_normals", "intrinsics")
    runs_on_host = True
    mean_over = "planes"

    def weight(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Return the number of planes."""
        return pair.once(planarity)[0].isfinite().sum(1).double()


class PEFlatness(PlaneMetric):
    """Planarity error, flatness: standard deviation of a plane's points about the plane fitted to them."""

    name = "pe_flatness"
    unit = "cm"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Mean over the planes of each image; see `plane_errors`."""
        return pair.once(planarity)[0].nanmean(1)


class PEOrientation(PlaneMetric):
    """Planarity error, orientation: atan2(|n x m|, |n . m|) of the true normal n and the fitted normal m of a plane."""

    name = "pe_orientation"
    unit = "degrees"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Mean over the planes of each image; see `plane_errors`."""
        return pair.once(planarity)[1].nanmean(1)
