"""DepthMetric: a named error with its formula, unit and direction."""

import abc
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.comparison import Comparison


class DepthMetric(abc.ABC):
    """One alignment-aware depth error. A subclass sets the class variables and writes `per_image`.

    It keeps nothing; `src.metrics.mean.MeanError` is the torchmetric of one, `src.api.DepthErrors` that of a protocol.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    """"fraction", "percent", "m", "1/m", "" for dimensionless."""
    higher_is_better: ClassVar[bool]
    may_be_undefined: ClassVar[bool] = False
    """Whether an image may rightly have no value (no occlusion edge, say). Otherwise a non-finite value of an image
    with valid pixels counts as a failure of the model."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Optional fields of `Sample` that it cannot do without."""
    runs_on_host: ClassVar[bool] = False
    """Whether it leaves the device or waits for it, as metrics do that need a k-d tree, a connected component or an
    eigenvector."""
    mean_over: ClassVar[str] = "images"
    """What the mean over a data set runs over. Where papers pool something smaller ("point pairs", "planes"), the value
    of an image is the mean over its own, and `weight` says how many it has."""

    @abc.abstractmethod
    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Return the error of each image, (b,) float64; pure, from `pair.aligned` and `pair.sample`."""

    def weight(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Return how much each image counts in the mean over a data set, (b,) float64."""
        return torch.ones_like(pair.aligned.scale)
