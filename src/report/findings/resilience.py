"""How sure mCE and mRR are: images drawn anew, the same for every condition, a model and its baseline."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from src.records.robustness import SEVERITIES
from src.records.statistics import Means, drawn_means
from src.report.findings.paired import pair
from src.report.findings.row import Row

Conditions = Mapping[tuple[str, int], Row]
"""(corruption, severity) -> the cell; ("none", 0) is the clean one."""

Interval = tuple[float, float]


def intervals_of(
    own: Conditions, baseline: Conditions, corruptions: Sequence[str]
) -> tuple[Interval | None, Interval | None]:
    """Return 95 % intervals of mCE and mRR in percent over images (scenes) drawn anew; None where they are too few.

    Args:
        own: cells of the model, with all severities of the corruptions.
        baseline: the same of the baseline.
        corruptions: that both sums run over.
    """
    keys = [(name, severity) for name in corruptions for severity in SEVERITIES]
    clean = own.get(("none", 0))
    rows = [*(own[key] for key in keys), *(baseline[key] for key in keys), *([clean] if clean else [])]
    paired = {metric: pair(rows, metric) for metric in ("abs_rel", "delta1")}
    if not paired["abs_rel"].enough:
        return None, None
    abs_rel, delta1 = (one.means() for one in paired.values())
    draws = drawn_means(
        Means(
            values=np.concatenate([abs_rel.values, delta1.values]),
            parts=np.concatenate([abs_rel.parts, delta1.parts], axis=1),
            units=np.concatenate([abs_rel.units, delta1.units]),
        )
    )
    errors = (draws[:, : len(rows)] - draws[:, len(rows) :] + 1) / 2  # DEE2 of each condition
    shape = (len(draws), len(corruptions), len(SEVERITIES))
    model = errors[:, : len(keys)].reshape(shape).mean(axis=2)
    reference = errors[:, len(keys) : 2 * len(keys)].reshape(shape).mean(axis=2)
    mce = _interval(100 * (model / reference).mean(axis=1))
    return mce, None if clean is None else _interval(100 * ((1 - model) / (1 - errors[:, -1:])).mean(axis=1))


def _interval(draws: Float64[np.ndarray, " b"]) -> Interval | None:
    if not np.isfinite(draws).all():
        return None
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    return low, high
