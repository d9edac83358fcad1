"""No alignment: metric predictions as they are."""

import dataclasses
from typing import ClassVar

import torch

from src.alignment.base import Alignment
from src.core import masked
from src.core.aligned import Aligned, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unaligned(Alignment):
    """Depth is the prediction itself: scale 1, shift 0. For metric models only."""

    assumes: ClassVar = OutputSpace.METRIC_DEPTH
    fitted_in: ClassVar = FittedIn.NOTHING

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """See the base class."""
        scale = torch.where(masked.count(sample.valid) == 0, torch.nan, 1.0).double()
        return Aligned(
            depth=prediction.values * scale[:, None, None, None],
            scale=scale,
            shift=scale - 1,
            fitted_in=self.fitted_in,
        )
