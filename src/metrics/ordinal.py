"""Ordinal errors as metrics, of data sets that carry point pairs instead of depth."""

from jaxtyping import Float
from torch import Tensor

from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional.ordinal import ordered_pairs


class PairAccuracy(DepthMetric):
    """Pairwise accuracy: fraction of point pairs with (z1 - z2) relation > 0; a tie is wrong.

    NaN for an image without a pair; pooled over all pairs of the data set. Yang et al. 2024 (Depth Anything V2, DA-2K),
    who leave the tie rule open.
    """

    name = "pair_accuracy"
    unit = "fraction"
    higher_is_better = True
    may_be_undefined = True
    requires = ("point_pairs",)
    mean_over = "point pairs"

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Share of ordered pairs; see `src.metrics.functional.ordinal`."""
        ordered, pairs = ordered_pairs(pair.aligned.depth, pair.annotation("point_pairs"))
        return ordered / pairs

    def weight(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Return the number of point pairs."""
        return ordered_pairs(pair.aligned.depth, pair.annotation("point_pairs"))[1]


class WHDR(PairAccuracy):
    """Human disagreement rate: fraction of point pairs without (z1 - z2) relation > 0; a tie is wrong.

    NaN for an image without a pair; pooled over all pairs of the data set, each of weight 1. Chen et al. 2016 (DIW).
    """

    name = "whdr"
    higher_is_better = False

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Share of pairs that are not ordered."""
        return 1 - super().per_image(pair)
