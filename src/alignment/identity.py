"""No alignment: metric predictions as they are, and ordinal ones as an order."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.alignment.base import Alignment
from src.core import masked
from src.core.aligned import Fit, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unaligned(Alignment):
    """Depth is the prediction itself, for metric models only.

    Attributes:
        trusted: (nearest, farthest) in metres; predictions outside count as depth 0, which fails every ratio
            threshold (Metric3D). None trusts all.
    """

    trusted: Sequence[float] | None = None

    assumes: ClassVar = OutputSpace.METRIC_DEPTH
    fitted_in: ClassVar = FittedIn.NOTHING

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """Return scale 1 and shift 0."""
        scale = torch.where(masked.count(sample.valid) == 0, torch.nan, 1.0).double()
        return Fit(scale=scale, shift=scale - 1)

    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Float[Tensor, "b 1 h w"]:
        """See the base class."""
        values = prediction.values
        if self.trusted is not None:
            nearest, farthest = self.trusted
            # not the other way round: NaN must stay NaN
            values = values.masked_fill((values <= nearest) | (values >= farthest), 0.0)
        return values.to(torch.float64, copy=True).mul_(fit.scale.reshape(-1, 1, 1, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderOnly(Unaligned):
    """Nothing but the order of pixels from near to far is kept: the prediction, negated where it is a disparity.

    Any output space will do. What it yields are no metres, so only metrics of point pairs may follow.
    """

    yields_depth: ClassVar = False

    def supports(self, space: OutputSpace) -> bool:
        """Every space orders pixels."""
        return True

    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Float[Tensor, "b 1 h w"]:
        """See the base class; unitless, larger where farther."""
        farther = -1 if prediction.space.is_disparity else 1
        return farther * super().apply(prediction, sample, fit)
