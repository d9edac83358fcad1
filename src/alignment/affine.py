"""Alignment by scale and shift per image, in depth or in disparity."""

import dataclasses
from typing import ClassVar

import torch

from src.alignment.base import Alignment
from src.alignment.functional import affine, disparity
from src.core.aligned import Aligned, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineDepth(Alignment):
    """Depth is s p + t with s and t per image by least squares in depth. Never inverts, so t is in metres."""

    assumes: ClassVar = OutputSpace.AFFINE_DEPTH
    fitted_in: ClassVar = FittedIn.DEPTH

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """See the base class."""
        scale, shift = affine.least_squares(prediction.values, sample.depth, sample.valid)
        depth = prediction.values * scale[:, None, None, None] + shift[:, None, None, None]
        return Aligned(depth=depth, scale=scale, shift=shift, fitted_in=self.fitted_in)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineDisparity(Alignment):
    """Depth is 1 / (s d + t) with s and t per image by least squares in disparity.

    d is the predicted disparity, or 1 / p of a metric or scale-invariant prediction p; p <= 0 there has no disparity
    and makes the image `failed`.

    Attributes:
        floor: what becomes of a fitted disparity <= 0: a rule of `src.alignment.functional.disparity.Floor`, or a
            number in 1/m that disparity is floored at.
    """

    floor: disparity.Floor | str | float

    assumes: ClassVar = OutputSpace.AFFINE_DISPARITY
    fitted_in: ClassVar = FittedIn.DISPARITY

    def __post_init__(self) -> None:
        object.__setattr__(self, "floor", disparity.parse_floor(self.floor))

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """See the base class."""
        values = prediction.values
        predicted = values if prediction.space.is_disparity else disparity.from_depth(values)
        target = torch.where(sample.valid, 1 / sample.depth.double(), 0.0)
        scale, shift = affine.least_squares(predicted, target, sample.valid)
        fitted = predicted * scale[:, None, None, None] + shift[:, None, None, None]
        depth = disparity.to_depth(
            fitted,
            sample.depth,
            sample.valid,
            floor=disparity.parse_floor(self.floor),
            farthest=sample.depth_range[1],
        )
        return Aligned(depth=depth, scale=scale, shift=shift, fitted_in=self.fitted_in)
