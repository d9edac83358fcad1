"""Alignment by one factor per image, in depth."""

import abc
import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.alignment.base import Alignment
from src.alignment.functional import scale as F  # noqa: N812
from src.alignment.selection import Selection
from src.alignment.weighting import Weighting
from src.core.aligned import Fit, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


class ScaleAlignment(Alignment):
    """Depth is s p with a factor s per image. A subclass writes `factor`."""

    assumes: ClassVar = OutputSpace.SCALE_INVARIANT_DEPTH
    fitted_in: ClassVar = FittedIn.DEPTH

    @abc.abstractmethod
    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """Return the factor of each image, (b,) float64."""

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """See the base class."""
        scale = self.factor(prediction, sample)
        return Fit(scale=scale, shift=torch.where(scale.isnan(), scale, 0.0))

    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Float[Tensor, "b 1 h w"]:
        """See the base class."""
        return prediction.values * fit.scale[:, None, None, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MedianScale(ScaleAlignment):
    """The factor is the ratio of the medians of true and predicted depth."""

    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.ratio_of_medians`."""
        return F.ratio_of_medians(prediction.values, sample.depth, sample.valid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MedianOfRatios(ScaleAlignment):
    """The factor is the median over pixels of true divided by predicted depth."""

    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.median_of_ratios`."""
        return F.median_of_ratios(prediction.values, sample.depth, sample.valid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquaresScale(ScaleAlignment):
    """The factor minimises the squared error of depth.

    Attributes:
        weighting: how much a pixel counts.
    """

    weighting: Weighting | str = Weighting.UNIFORM

    def __post_init__(self) -> None:
        Weighting(self.weighting)

    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.least_squares`."""
        weight = Weighting(self.weighting).weights(sample.depth)
        return F.least_squares(prediction.values, sample.depth, sample.valid, weight)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastAbsoluteScale(ScaleAlignment):
    """The factor minimises the absolute error of depth.

    Attributes:
        weighting: how much a pixel counts.
        fit_on: which of the valid pixels are fitted; None for all.
    """

    weighting: Weighting | str = Weighting.UNIFORM
    fit_on: Selection | None = None

    def __post_init__(self) -> None:
        Weighting(self.weighting)

    @property
    def needs_grid(self) -> bool:
        """See the base class."""
        return self.fit_on is not None and self.fit_on.needs_grid

    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """See `src.alignment.functional.scale.least_absolute`."""
        values, depth, valid = prediction.values, sample.depth, sample.valid
        if self.fit_on is not None:
            values, depth, valid = self.fit_on.select(values, depth, valid)
        return F.least_absolute(values, depth, valid, Weighting(self.weighting).weights(depth))
