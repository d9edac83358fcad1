"""How sharply and where predicted depth breaks, as metrics; the maths is in `src.metrics.functional.boundary`."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional import boundary as F  # noqa: N812


class BoundaryF1(DepthMetric):
    """Scale-invariant boundary F1 of Depth Pro: F1 of edges z_j / z_i > t, mean over sides and t in 1.05 .. 1.25."""

    name = "boundary_f1"
    unit = "fraction"
    higher_is_better = True

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `scale_invariant_f1`."""
        return F.scale_invariant_f1(pair.aligned.depth, pair.sample.depth, pair.sample.valid)


class BoundaryRecall(DepthMetric):
    """Scale-invariant boundary recall of Depth Pro: share of matte edges with thinned z_j / z_i > t, t in 1.05 .. 1.25.

    Reads the matte from `Sample.segments`: foreground is what has a label.
    """

    name = "boundary_recall"
    unit = "fraction"
    higher_is_better = True
    requires = ("segments",)

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `matte_recall`."""
        return F.matte_recall(pair.aligned.depth, pair.annotation("segments") > 0, pair.sample.valid)


class PooledBoundaryF1(DepthMetric):
    """Boundary F1 of MoGe: F1 of edges z_j / z_i > 1 + t pooled over all j near i, mean over t in 0.05 .. 0.25."""

    unit = "fraction"
    higher_is_better = True
    radius: ClassVar[int]

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """See `pooled_f1`."""
        return F.pooled_f1(pair.aligned.depth, pair.sample.depth, pair.sample.valid, radius=self.radius)


class BoundaryF1Radius1(PooledBoundaryF1):
    """Boundary F1 of MoGe: F1 of edges z_j / z_i > 1 + t pooled over j within 1 pixel of i, mean over t."""

    name = "boundary_f1_radius1"
    radius = 1


class BoundaryF1Radius2(PooledBoundaryF1):
    """Boundary F1 of MoGe: F1 of edges z_j / z_i > 1 + t pooled over j within 2 pixels of i, mean over t."""

    name = "boundary_f1_radius2"
    radius = 2


class BoundaryF1Radius3(PooledBoundaryF1):
    """Boundary F1 of MoGe: F1 of edges z_j / z_i > 1 + t pooled over j within 3 pixels of i, mean over t."""

    name = "boundary_f1_radius3"
    radius = 3
