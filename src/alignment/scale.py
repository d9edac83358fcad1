"""Alignment by one factor per image, in depth."""

import abc
import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.alignment.base import Alignment
from src.alignment.functional import scale as F  # noqa: N812
from src.core.aligned import Aligned, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


class ScaleAlignment(Alignment):
    """Depth is s p with a factor s per image. A subclass writes `fit`."""

    assumes: ClassVar = OutputSpace.SCALE_INVARIANT_DEPTH
    fitted_in: ClassVar = FittedIn.DEPTH

    @abc.abstractmethod
    def fit(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """Return the factor of each image, (b,) float64."""

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """See the base class."""
        scale = self.fit(prediction, sample)
        return Aligned(
            depth=prediction.values * scale[:, None, None, None],
            scale=scale,
            shift=torch.where(scale.isnan(), torch.nan, 0.0).double(),
            fitted_in=self.fitted_in,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MedianScale(ScaleAlignment):
    """The factor is the ratio of the medians of true and predicted depth."""

    def fit(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.ratio_of_medians`."""
        return F.ratio_of_medians(prediction.values, sample.depth, sample.valid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquaresScale(ScaleAlignment):
    """The factor minimises the squared error of depth."""

    def fit(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.least_squares`."""
        return F.least_squares(prediction.values, sample.depth, sample.valid)
