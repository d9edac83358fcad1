"""Alignment by one factor per image, in depth."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.alignment.base import Alignment
from src.alignment.functional import scale as F  # noqa: N812
from src.alignment.pooling import Images
from src.alignment.selection import Selected, Selection
from src.alignment.weighting import Weighting
from src.core.aligned import Fit, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.core.streamed_order import medians


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleAlignment(Alignment):
    """Depth is s p with a factor s per image. A subclass names the solver that finds it.

    Attributes:
        positive: whether an image whose factor is not above 0 has failed, since the output space says s > 0. Published
            evaluators score it all the same.
    """

    positive: bool = False

    assumes: ClassVar = OutputSpace.SCALE_INVARIANT_DEPTH
    fitted_in: ClassVar = FittedIn.DEPTH
    solver: ClassVar[Callable[..., Tensor]]

    @property
    def solved_by(self) -> Callable[..., Tensor]:
        """See the base class."""
        return self.solver

    @property
    def unknowns(self) -> int:
        """The factor."""
        return 1

    def factor(self, prediction: Prediction, sample: Sample) -> Float[Tensor, " b"]:
        """Return the factor of each image, (b,) float64."""
        return self.solver(prediction.values, sample.depth, sample.valid)

    def contradicted(self, fit: Fit) -> Bool[Tensor, " b"]:
        """See the base class."""
        return fit.scale <= 0 if self.positive else super().contradicted(fit)

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """See the base class."""
        scale = self.factor(prediction, sample)
        return Fit(scale=scale, shift=torch.where(scale.isnan(), scale, 0.0))

    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Float[Tensor, "b 1 h w"]:
        """See the base class."""
        return prediction.values.to(torch.float64, copy=True).mul_(fit.scale.reshape(-1, 1, 1, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MedianScale(ScaleAlignment):
    """Depth is s p, with s the ratio of the medians of true and predicted depth.

    Attributes:
        lower: whether the median of an even count is the lower of the two middle values (torch.median), not their mean.
    """

    lower: bool = False

    @property
    def solver(self) -> Callable[..., Tensor]:  # type: ignore[override]  # a choice of two
        """See the base class."""
        return F.ratio_of_lower_medians if self.lower else F.ratio_of_medians

    def fit_together(self, images: Images) -> Fit:
        """See the base class; the medians of all pixels follow from counts, exactly, however many they are."""

        def true() -> Iterator[np.ndarray]:
            return (sample.depth[sample.valid].numpy() for _, sample in images())

        def predicted() -> Iterator[np.ndarray]:
            return (prediction.values[sample.valid].numpy() for prediction, sample in images())

        above, below = (_float64(medians(parts, lower=self.lower)) for parts in (true, predicted))
        scale = above / below
        return Fit(scale=scale, shift=torch.where(scale.isnan(), scale, 0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MedianOfRatios(ScaleAlignment):
    """Depth is s p, with s the median over pixels of true divided by predicted depth."""

    solver: ClassVar = staticmethod(F.median_of_ratios)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightedScale(ScaleAlignment):
    """A factor whose solver takes weights and a choice of pixels.

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
        """Return the factor of each image, (b,) float64."""
        values, depth, valid = self.fitted(prediction, sample)
        return self.solver(values, depth, valid, Weighting(self.weighting).weights(depth))

    def fitted(self, prediction: Prediction, sample: Sample) -> Selected:
        """Return prediction, true depth and mask of the pixels that are fitted."""
        if self.fit_on is None:
            return prediction.values, sample.depth, sample.valid
        return self.fit_on.select(prediction.values, sample.depth, sample.valid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquaresScale(WeightedScale):
    """Depth is s p, with s of least squared error of depth."""

    solver: ClassVar = staticmethod(F.least_squares)

    def fit_together(self, images: Images) -> Fit:
        """See the base class; the two sums of each image add up, each rounded once."""
        sums: list[tuple[float, float]] = []
        for prediction, sample in images():
            values, depth, valid = self.fitted(prediction, sample)
            found = F.products(values, depth, valid, Weighting(self.weighting).weights(depth))
            sums += zip(*(part.tolist() for part in found), strict=True)
        with_target, with_itself = (_float64(math.fsum(part)) for part in zip(*sums, strict=True))
        scale = with_target / with_itself
        return Fit(scale=scale, shift=torch.where(scale.isnan(), scale, 0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastAbsoluteScale(WeightedScale):
    """Depth is s p, with s of least absolute error of depth."""

    solver: ClassVar = staticmethod(F.least_absolute)


def _float64(value: float) -> Float[Tensor, " 1"]:
    return torch.tensor([value], dtype=torch.float64)
