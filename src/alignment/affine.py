"""Alignment by scale and shift per image, in depth, in disparity or in log depth."""

import abc
import dataclasses
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.alignment.base import Alignment
from src.alignment.functional import affine, disparity
from src.alignment.functional.moments import line, merged, moments
from src.alignment.functional.scale import ratio_of_lower_medians
from src.alignment.pooling import Images
from src.alignment.selection import Selected, Selection
from src.alignment.weighting import Weighting
from src.core import masked
from src.core.aligned import Fit, FittedIn
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]


class Solver(StrEnum):
    """What scale and shift optimise; see the function of that name in `src.alignment.functional.affine`."""

    LEAST_SQUARES = "least_squares"
    LEAST_ABSOLUTE = "least_absolute"
    MEDIAN_DEVIATION = "median_deviation"

    @classmethod
    def _missing_(cls, value: object) -> "Solver":
        msg = f"solver: expected one of {', '.join(cls)}, got {value!r}"
        raise ConfigError(msg)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineAlignment(Alignment):
    """Scale and shift per image, fitted in some quantity. A subclass says which, and how to return from it to depth.

    Attributes:
        solver: what is optimised.
        weighting: how much a pixel counts.
        fit_on: which of the valid pixels are fitted; None for all.
    """

    solver: Solver | str = Solver.LEAST_SQUARES
    weighting: Weighting | str = Weighting.UNIFORM
    fit_on: Selection | None = None

    def __post_init__(self) -> None:
        solver, weighting = Solver(self.solver), Weighting(self.weighting)
        if solver is Solver.MEDIAN_DEVIATION and weighting is not Weighting.UNIFORM:
            msg = f"weighting: expected uniform, since solver=median_deviation has no weights, got {self.weighting}"
            raise ConfigError(msg)

    @property
    def solved_by(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """See the base class."""
        match Solver(self.solver):
            case Solver.LEAST_SQUARES:
                return affine.least_squares
            case Solver.LEAST_ABSOLUTE:
                return affine.least_absolute
            case Solver.MEDIAN_DEVIATION:
                return affine.median_deviation

    @property
    def unknowns(self) -> int:
        """Scale and shift."""
        return 2

    def determined(self, sample: Sample) -> Bool[Tensor, " b"]:
        """See the base class; a selection by place may leave fewer pixels than are valid."""
        if self.fit_on is None or not self.needs_grid:
            return super().determined(sample)
        _, depth, valid = self.fit_on.select(sample.depth, sample.depth, sample.valid)
        return masked.largest(depth, valid) > -masked.largest(-depth, valid)

    @property
    def needs_grid(self) -> bool:
        """See the base class."""
        return self.fit_on is not None and self.fit_on.needs_grid

    @abc.abstractmethod
    def predicted(self, prediction: Prediction) -> Map:
        """Return the prediction in the quantity of the fit."""

    @abc.abstractmethod
    def true(self, depth: Map, valid: Mask) -> Map:
        """Return true depth in the quantity of the fit, finite where valid."""

    @abc.abstractmethod
    def to_depth(self, fitted: Map, sample: Sample) -> Map:
        """Return from the quantity of the fit to depth in metres."""

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """See the base class."""
        values, depth, valid = self.fitted(prediction, sample)
        scale, shift = self.solved_by(values, self.true(depth, valid), valid, *self._weight(depth))
        return Fit(scale=scale, shift=shift)

    @property
    def has_exceptions(self) -> bool:
        """Whether some predictions are fitted by another rule than the solver's."""
        return False

    def usable(self, prediction: Prediction, sample: Sample) -> Bool[Tensor, " b"]:
        """See the base class."""
        return masked.all_finite(self.predicted(prediction), sample.valid)

    def fit_together(self, images: Images) -> Fit:
        """See the base class; a line of least squares follows from the moments of each image, exactly."""
        if Solver(self.solver) is not Solver.LEAST_SQUARES or self.has_exceptions:
            return super().fit_together(images)
        parts = []
        for prediction, sample in images():
            values, depth, valid = self.fitted(prediction, sample)
            parts.append(moments(values, self.true(depth, valid), valid, *self._weight(depth)))
        scale, shift = line(merged(parts))
        return Fit(scale=scale, shift=shift)

    def fitted(self, prediction: Prediction, sample: Sample) -> Selected:
        """Return the prediction in the quantity of the fit, true depth and mask of the pixels that are fitted."""
        values = self.predicted(prediction)
        if self.fit_on is None:
            return values, sample.depth, sample.valid
        return self.fit_on.select(values, sample.depth, sample.valid)

    def _weight(self, depth: Map) -> tuple[Map, ...]:
        weight = Weighting(self.weighting).weights(depth)
        return () if weight is None else (weight,)

    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Map:
        """See the base class."""
        scale, shift = (value.reshape(-1, 1, 1, 1) for value in (fit.scale, fit.shift))
        fitted = torch.addcmul(shift, self.predicted(prediction).double(), scale)
        return self.to_depth(fitted, sample)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineDepth(AffineAlignment):
    """Depth is s p + t, fitted in depth.

    Attributes:
        median_if_negative: whether images with a negative scale fall back to the ratio of lower medians without a
            shift (Metric3D). Otherwise it is kept as it is.
        invert_disparity: also accept disparity predictions d, as depth 1 / d with d <= 0 becoming depth 0. Their
            unknown shift does not survive this; MDEC 2025 does it all the same.
    """

    median_if_negative: bool = False
    invert_disparity: bool = False

    assumes: ClassVar = OutputSpace.AFFINE_DEPTH
    fitted_in: ClassVar = FittedIn.DEPTH

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be aligned this way."""
        return super().supports(space) or (self.invert_disparity and space.is_disparity)

    @property
    def has_exceptions(self) -> bool:
        """See the base class."""
        return self.median_if_negative

    def predicted(self, prediction: Prediction) -> Map:
        """Return predicted depth."""
        values = prediction.values
        if not prediction.space.is_disparity:
            return values
        return (1 / values.double()).masked_fill(values <= 0, 0.0)

    def true(self, depth: Map, valid: Mask) -> Map:
        """Return depth itself."""
        return depth

    def to_depth(self, fitted: Map, sample: Sample) -> Map:
        """Return it unchanged."""
        return fitted

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """See the base class."""
        found = super().fit(prediction, sample)
        if not self.median_if_negative:
            return found
        ratio = ratio_of_lower_medians(self.predicted(prediction), sample.depth, sample.valid)
        is_negative = found.scale < 0
        return Fit(scale=torch.where(is_negative, ratio, found.scale), shift=found.shift.masked_fill(is_negative, 0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineDisparity(AffineAlignment):
    """Depth is 1 / (s d + t), fitted in disparity.

    d is the predicted disparity, or 1 / p of a metric or scale-invariant prediction p; p <= 0 there has no disparity
    and makes the image `failed`.

    Attributes:
        floor: what becomes of a fitted disparity <= 0: a rule of `src.alignment.functional.disparity.Floor`, or a
            number in 1/m that disparity is floored at.
        zero_if_constant: whether a prediction without contrast is fitted by disparity 0, which the floor then makes
            depth (MiDaS). Otherwise by the mean true disparity.
    """

    floor: disparity.Floor | str | float
    zero_if_constant: bool = False

    assumes: ClassVar = OutputSpace.AFFINE_DISPARITY
    fitted_in: ClassVar = FittedIn.DISPARITY

    def __post_init__(self) -> None:
        super().__post_init__()
        disparity.parse_floor(self.floor)

    @property
    def has_exceptions(self) -> bool:
        """See the base class."""
        return self.zero_if_constant

    def predicted(self, prediction: Prediction) -> Map:
        """Return predicted disparity."""
        values = prediction.values
        return values if prediction.space.is_disparity else disparity.from_depth(values)

    def true(self, depth: Map, valid: Mask) -> Map:
        """Return true disparity; 0 where not valid."""
        return masked.filled(1 / depth.double(), valid, 0.0)

    def to_depth(self, fitted: Map, sample: Sample) -> Map:
        """Invert, with the floor."""
        floor = disparity.parse_floor(self.floor)
        return disparity.to_depth(
            fitted, floor, target=sample.depth, valid=sample.valid, farthest=sample.depth_range[1]
        )

    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """See the base class."""
        found = super().fit(prediction, sample)
        if not self.zero_if_constant:
            return found
        # not where the scale is 0, which an all-equal target gives too
        values, _, valid = self.fitted(prediction, sample)
        is_constant = masked.largest(values, valid) == -masked.largest(-values, valid)
        return Fit(scale=found.scale, shift=found.shift.masked_fill(is_constant, 0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffineLogDepth(AffineAlignment):
    """Depth is e^t p^s, fitted in natural log depth: a scale e^t and a power s.

    p <= 0 has no logarithm and makes the image `failed`.
    """

    assumes: ClassVar = OutputSpace.SCALE_INVARIANT_DEPTH
    fitted_in: ClassVar = FittedIn.LOG_DEPTH

    def predicted(self, prediction: Prediction) -> Map:
        """Return predicted log depth; NaN where depth <= 0."""
        return prediction.values.double().log().masked_fill(prediction.values <= 0, torch.nan)

    def true(self, depth: Map, valid: Mask) -> Map:
        """Return true log depth; 0 where not valid."""
        return masked.filled(depth.double(), valid, 1.0).log()

    def to_depth(self, fitted: Map, sample: Sample) -> Map:
        """Exponentiate."""
        return fitted.exp()
