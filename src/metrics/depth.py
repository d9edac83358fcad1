"""Depth errors as metrics; the maths is in `src.metrics.functional.depth`."""

import abc
from functools import partial

from jaxtyping import Float
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional import depth as F  # noqa: N812


def residuals(aligned: Aligned, sample: Sample) -> F.Residuals:
    """Return the pixel-wise errors that the metrics of this file share."""
    return F.residuals(aligned.depth, sample.depth, sample.valid)


class PixelMetric(DepthMetric):
    """An error over the valid pixels. A subclass names its formula over their residuals."""

    higher_is_better = False

    @staticmethod
    @abc.abstractmethod
    def formula(errors: F.Residuals) -> Float[Tensor, " b"]:
        """Return the error of each image."""

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Apply the formula to each image; NaN for an image without a valid pixel."""
        return self.formula(pair.once(residuals))


class AbsRel(PixelMetric):
    """Absolute relative error: mean of abs(p - g) / g."""

    name = "abs_rel"
    unit = "fraction"
    formula = staticmethod(F.abs_rel)


class SqRel(PixelMetric):
    """Squared relative error: mean of (p - g)^2 / g."""

    name = "sq_rel"
    unit = "m"
    formula = staticmethod(F.sq_rel)


class RMSE(PixelMetric):
    """Root mean squared error: sqrt(mean((p - g)^2))."""

    name = "rmse"
    unit = "m"
    formula = staticmethod(F.rmse)


class RMSELog(PixelMetric):
    """Root mean squared logarithmic error: sqrt(mean((ln p - ln g)^2))."""

    name = "rmse_log"
    unit = ""
    formula = staticmethod(F.rmse_log)


class Log10(PixelMetric):
    """Mean absolute decimal logarithmic error: mean of abs(log10 p - log10 g)."""

    name = "log10"
    unit = ""
    formula = staticmethod(F.log10)


class SILog(PixelMetric):
    """Scale-invariant logarithmic error: 100 sqrt(mean(e^2) - mean(e)^2), e = ln p - ln g."""

    name = "silog"
    unit = "percent"
    formula = staticmethod(F.silog)


class Delta1(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.25."""

    name = "delta1"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.25))


class Delta2(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.25^2."""

    name = "delta2"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.25**2))


class Delta3(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.25^3."""

    name = "delta3"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.25**3))
