"""DepthMetric: a named error with its formula, unit and direction."""

import abc
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.metrics.comparison import Comparison
from src.metrics.per_image import PerImage


class DepthMetric(PerImage, abc.ABC):
    """One alignment-aware depth error. A subclass sets the class variables and writes `per_image`.

    `update` takes what a protocol produces, `compute` returns the mean over images of the per-image errors.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    """"fraction", "percent", "m", "1/m", "" for dimensionless."""
    may_be_undefined: ClassVar[bool] = False
    """Whether an image may rightly have no value (no occlusion edge, say). Otherwise a non-finite value of an image
    with valid pixels counts as a failure of the model."""

    def __init__(self) -> None:
        super().__init__(columns=(self.name,))

    @abc.abstractmethod
    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Return the error of each image, (b,) float64; pure, from `pair.aligned` and `pair.sample`."""

    def update(self, aligned: Aligned, sample: Sample) -> None:  # type: ignore[override]
        """Add a batch."""
        index = torch.tensor(sample.index, device=aligned.depth.device)
        super().update(self.per_image(Comparison(aligned, sample))[:, None], index)

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the mean over the images seen by all processes."""
        return super().compute()[self.name]
