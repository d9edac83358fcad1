"""Depth errors as metrics; the maths is in `src.metrics.functional.depth`."""

from jaxtyping import Float
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.functional import depth as F  # noqa: N812


class AbsRel(DepthMetric):
    """Mean absolute relative error."""

    name = "abs_rel"
    unit = "fraction"
    higher_is_better = False

    def per_image(self, aligned: Aligned, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.metrics.functional.depth.abs_rel`."""
        return F.abs_rel(aligned.depth, sample.depth, sample.valid)
