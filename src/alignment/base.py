"""Alignment: the named, visible step between a prediction and its errors."""

import abc
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.alignment.pooling import Images, pooled
from src.core import masked
from src.core.aligned import Aligned, Fit, FittedIn
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample


class Alignment(abc.ABC):
    """Brings a prediction to metres, using the ground truth on `valid` pixels only for what the space leaves open.

    A subclass sets `assumes` and `fitted_in` and writes `fit` and `apply`; its parameters are what a yaml names.
    """

    assumes: ClassVar[OutputSpace]
    """The weakest output space this alignment can be applied to."""
    fitted_in: ClassVar[FittedIn]
    """The quantity in which scale and shift are fitted."""
    yields_depth: ClassVar[bool] = True
    """Whether what `apply` returns is depth in metres."""

    @property
    def solved_by(self) -> Callable[..., object] | None:
        """The pure function behind `fit`, whose docstring states the objective and the degenerate cases."""
        return None

    @property
    def unknowns(self) -> int:
        """How many numbers `fit` chooses for an image."""
        return 0

    def determined(self, sample: Sample) -> Bool[Tensor, " b"]:
        """Whether true depth settles the fit: it has as many different values on `valid` as there are unknowns.

        With fewer every prediction fits without error, and the score would say nothing about it. True depth alone
        decides, so that no model can skip an image.
        """
        if self.unknowns < 2:
            return masked.count(sample.valid) > 0  # an image without one is skipped in any case
        return masked.largest(sample.depth, sample.valid) > -masked.largest(-sample.depth, sample.valid)

    def contradicted(self, fit: Fit) -> Bool[Tensor, " b"]:
        """Whether the fit says that a prediction is not what its output space promises; never, unless overridden."""
        return torch.zeros_like(fit.scale, dtype=torch.bool)

    def usable(self, prediction: Prediction, sample: Sample) -> Bool[Tensor, " b"]:
        """Whether a fit over several images may use each of these: all that it reads of the prediction is finite."""
        return masked.all_finite(prediction.values, sample.valid)

    def fit_together(self, images: Images) -> Fit:
        """Fit several images as one: what `fit` finds for all their valid pixels.

        A subclass whose fit follows from sums or counts adds those up, image by image; else at most
        `pooling.MOST_PIXELS` pixels are fitted.

        Args:
            images: at least one, all `usable`.

        Returns:
            One fit, (1,).
        """
        return self.fit(*pooled(images))

    @property
    def needs_grid(self) -> bool:
        """Whether `fit` depends on where pixels are, not only on their values."""
        return False

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be aligned this way."""
        return space.can_be_scored_as(self.assumes)

    @abc.abstractmethod
    def fit(self, prediction: Prediction, sample: Sample) -> Fit:
        """Fit every image of the batch on its own; NaN for an image without a valid pixel."""

    @abc.abstractmethod
    def apply(self, prediction: Prediction, sample: Sample, fit: Fit) -> Float[Tensor, "b 1 h w"]:
        """Return depth in metres, (b, 1, h, w) float64, pixel by pixel, in memory of its own.

        Non-finite predicted values stay non-finite, and images whose fit is NaN become NaN.
        """

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """Fit and apply; inputs are left untouched."""
        fit = self.fit(prediction, sample)
        depth = self.apply(prediction, sample, fit)
        return Aligned(depth=depth, scale=fit.scale, shift=fit.shift, fitted_in=self.fitted_in)
