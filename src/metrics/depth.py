"""Depth errors as metrics; the maths is in `src.metrics.functional.depth`."""

import abc
from functools import partial

from jaxtyping import Float
from torch import Tensor

from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional import depth as F  # noqa: N812
from src.metrics.functional.residuals import Residuals, residuals


def pixel_errors(pair: Comparison) -> Residuals:
    """Return the pixel-wise errors that pixel metrics share."""
    return residuals(pair.aligned.depth, pair.sample.depth, pair.sample.valid)


class PixelMetric(DepthMetric):
    """An error over the valid pixels. A subclass names its formula over their residuals."""

    higher_is_better = False

    @staticmethod
    @abc.abstractmethod
    def formula(errors: Residuals) -> Float[Tensor, " b"]:
        """Return the error of each image."""

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Apply the formula to each image; NaN for an image without a valid pixel."""
        return self.formula(pair.once(pixel_errors))


class AbsRel(PixelMetric):
    """Absolute relative error: mean of abs(p - g) / g."""

    name = "abs_rel"
    unit = "fraction"
    formula = staticmethod(F.abs_rel)


class AbsRelMoGe(PixelMetric):
    """Absolute relative error of MoGe: mean of abs(p - g) / (g + 1e-6 m)."""

    name = "abs_rel_moge"
    unit = "fraction"
    formula = staticmethod(F.abs_rel_moge)


class SqRel(PixelMetric):
    """Squared relative error: mean of (p - g)^2 / g."""

    name = "sq_rel"
    unit = "m"
    formula = staticmethod(F.sq_rel)


class SqRelKitti(PixelMetric):
    """Squared relative error of the KITTI devkit: mean of (p - g)^2 / g^2."""

    name = "sq_rel_kitti"
    unit = "fraction"
    formula = staticmethod(F.sq_rel_kitti)


class MAE(PixelMetric):
    """Mean absolute error: mean of abs(p - g)."""

    name = "mae"
    unit = "m"
    formula = staticmethod(F.mae)


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


class RMSELog10(PixelMetric):
    """Root mean squared decimal logarithmic error: sqrt(mean((log10 p - log10 g)^2))."""

    name = "rmse_log10"
    unit = ""
    formula = staticmethod(F.rmse_log10)


class Log10(PixelMetric):
    """Mean absolute decimal logarithmic error: mean of abs(log10 p - log10 g)."""

    name = "log10"
    unit = ""
    formula = staticmethod(F.log10)


class LogMAE(PixelMetric):
    """Mean absolute logarithmic error: mean of abs(ln p - ln g)."""

    name = "log_mae"
    unit = ""
    formula = staticmethod(F.log_mae)


class MedianLog(PixelMetric):
    """Bias of the logarithm: 100 abs(median(ln p - ln g))."""

    name = "median_log"
    unit = "percent"
    formula = staticmethod(F.median_log)


class SILog(PixelMetric):
    """Scale-invariant logarithmic error: 100 sqrt(mean(e^2) - mean(e)^2), e = ln p - ln g."""

    name = "silog"
    unit = "percent"
    formula = staticmethod(F.silog)


class SILogLog10(PixelMetric):
    """Scale-invariant decimal logarithmic error: sqrt(mean(d^2) - mean(d)^2), d = log10 p - log10 g."""

    name = "silog_log10"
    unit = ""
    formula = staticmethod(F.silog_log10)


class SILogStd(PixelMetric):
    """Scale-invariant logarithmic error: 100 times the sample standard deviation of ln p - ln g."""

    name = "silog_std"
    unit = "percent"
    formula = staticmethod(F.silog_std)


class SILogHalf(PixelMetric):
    """Half scale-invariant logarithmic error: sqrt(mean(e^2) - mean(e)^2 / 2), e = ln p - ln g."""

    name = "silog_half"
    unit = ""
    formula = staticmethod(F.silog_half)


class IMAE(PixelMetric):
    """Mean absolute error of disparity: mean of abs(1/p - 1/g)."""

    name = "i_mae"
    unit = "1/m"
    formula = staticmethod(F.i_mae)


class IRMSE(PixelMetric):
    """Root mean squared error of disparity: sqrt(mean((1/p - 1/g)^2))."""

    name = "i_rmse"
    unit = "1/m"
    formula = staticmethod(F.i_rmse)


class SSITrimmedMAE(PixelMetric):
    """Scale- and shift-invariant trimmed error: sum of 80 % least abs(x - y) / (2 n), normalised 1/p and 1/g."""

    name = "ssi_trimmed_mae"
    unit = ""
    formula = staticmethod(F.ssi_trimmed_mae)


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


class DeltaHalf(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.25^0.5."""

    name = "delta_half"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.25**0.5))


class Delta105(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.05."""

    name = "delta_1p05"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.05))


class Delta110(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.10."""

    name = "delta_1p10"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.10))


class Tau(PixelMetric):
    """Inlier share: fraction of pixels with max(p/g, g/p) < 1.03."""

    name = "tau"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(partial(F.delta, threshold=1.03))


class DeltaAUC(PixelMetric):
    """Area under the inlier curve: 1/5 of the integral of the share of max(p/g, g/p) < 1.25^x over x from 0.01 to 5."""

    name = "delta_auc"
    unit = "fraction"
    higher_is_better = True
    formula = staticmethod(F.delta_auc)


class Delta1Error(PixelMetric):
    """Outlier share: percentage of pixels with max(p/g, g/p) > 1.25."""

    name = "delta1_error"
    unit = "percent"
    formula = staticmethod(F.delta1_error)
