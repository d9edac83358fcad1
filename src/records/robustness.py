"""What corrupted images cost a model, as RoboDepth sums it up (Kong et al. 2023): pure functions of mean errors.

DEE2 = (abs_rel - delta1 + 1) / 2 is the depth estimation error, between 0 and about 1. Errors of one corruption are its
means over the five severities. Unlike RoboDepth's code nothing is rounded to three decimals on the way.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from src.core.errors import RecordsError

SEVERITIES: Final = (1, 2, 3, 4, 5)
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "weather and light": ("brightness", "dark", "fog", "frost", "snow", "contrast"),
        "sensor and motion": (
            *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
            *("elastic_transform", "color_quant"),
        ),
        "noise and processing": (
            *("gaussian_noise", "impulse_noise", "shot_noise", "iso_noise"),
            *("pixelate", "jpeg_compression"),
        ),
    }
)
"""The corruptions in the order and the three families of RoboDepth's tables."""


def depth_estimation_error(abs_rel: float, delta1: float) -> float:
    """Return DEE2 of a mean abs_rel and delta1, both fractions.

    >>> depth_estimation_error(0.125, 0.875)
    0.125
    """
    return (abs_rel - delta1 + 1) / 2


def corruption_error(severities: Sequence[tuple[float, float]]) -> float:
    """Return DEE2 of one corruption out of the mean (abs_rel, delta1) of each severity.

    Raises:
        RecordsError: unless there are five.
    """
    if len(severities) != 5:
        msg = f"expected results of the severities 1 to 5, got {len(severities)}; run what is missing"
        raise RecordsError(msg)
    return depth_estimation_error(*(statistics.fmean(values) for values in zip(*severities, strict=True)))


def mean_corruption_error(errors: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    """Return mCE in percent: the mean over corruptions of DEE2 divided by that of a baseline. Lower is better.

    Args:
        errors: corruption -> DEE2 of the model.
        baseline: the same of the baseline, which is 100 %.

    Raises:
        RecordsError: if the two were not measured under the same corruptions.
    """
    _check(errors, baseline)
    return 100 * statistics.fmean(error / baseline[name] for name, error in errors.items())


def mean_resilience_rate(errors: Mapping[str, float], clean: float) -> float:
    """Return mRR in percent: the mean over corruptions of (1 - DEE2) / (1 - DEE2 of clean images). Higher is better.

    NaN where the clean images are all wrong.
    """
    _check(errors, errors)
    return math.nan if clean >= 1 else 100 * statistics.fmean((1 - error) / (1 - clean) for error in errors.values())


def _check(errors: Mapping[str, float], baseline: Mapping[str, float]) -> None:
    if not errors or errors.keys() != baseline.keys():
        msg = f"expected one set of corruptions for model and baseline, got {sorted(errors)} and {sorted(baseline)}"
        raise RecordsError(msg)
