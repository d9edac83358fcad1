"""Alignment: the named, visible step between a prediction and its errors."""

import abc
from typing import ClassVar

from src.core.aligned import Aligned, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


class Alignment(abc.ABC):
    """Brings a prediction to metres, using the ground truth on `valid` pixels only for what the space leaves open.

    A subclass sets `assumes` and `fitted_in` and writes `align`; its parameters are the arguments a yaml names.
    """

    assumes: ClassVar[OutputSpace]
    """The weakest output space this alignment can be applied to."""
    fitted_in: ClassVar[FittedIn]
    """The quantity in which scale and shift are fitted."""

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be aligned this way."""
        return space.can_be_scored_as(self.assumes)

    @abc.abstractmethod
    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """Align every image of the batch on its own; inputs are left untouched.

        An image without a valid pixel gets NaN depth, scale and shift; non-finite predicted values stay non-finite.
        """
