"""Models on corrupted images: the same ground truth, worse pictures."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from src.core.errors import RecordsError
from src.records.aggregate import unranked_because
from src.records.robustness import (
    FAMILIES,
    SEVERITIES,
    corruption_error,
    depth_estimation_error,
    mean_corruption_error,
    mean_resilience_rate,
)
from src.report.findings.leaderboard import Comparable, Groups
from src.report.findings.resilience import Conditions, Interval, intervals_of
from src.report.findings.row import FLOOR, Row
from src.report.findings.words import decimals_for, metric_label

CATALOGUE: Final = tuple(name for family in FAMILIES.values() for name in family)
CELLS: Final = len(CATALOGUE) * len(SEVERITIES)
"""Of a model that was measured under everything."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hardiness:
    """One model under corruption, by the first metric of the protocol unless said otherwise.

    Attributes:
        name: of its rows.
        clean: mean on clean images; None where it was not measured on them.
        means: corruption -> severity -> mean; only of cells that exist and have a mean.
        errors: corruption -> DEE2; only of those that have all severities.
        clean_error: DEE2 on clean images, or None.
        unranked: why it has neither mCE nor mRR and is no baseline; empty if nothing but the corruption speaks against.
        conditions: its cells, the clean one under ("none", 0).
        model: that its rows are of.
    """

    name: str
    clean: float | None
    means: Mapping[str, Mapping[int, float]]
    errors: Mapping[str, float]
    clean_error: float | None
    unranked: tuple[str, ...]
    conditions: Conditions
    model: str

    @property
    def cells(self) -> int:
        """How many corrupted cells it has."""
        return sum(map(len, self.means.values()))

    def mean(self, corruption: str) -> float | None:
        """Return the mean over the severities that there are, or None."""
        found = self.means.get(corruption)
        return fmean(found.values()) if found else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """All models under corruption on one data set under one protocol.

    Attributes:
        key: what their cells have in common.
        metric: its first.
        higher_is_better: of that metric.
        label: of its axis.
        decimals: of its values.
        corruptions: those of any model.
        models: by name.
        baseline: whose mCE is 100 %: the one that was asked for, or of the ranked models with the most complete
            corruptions the first by name; None where none has a complete one.
        mce, mrr: name -> percent over the baseline's complete corruptions; only of models that have all of them.
        mce_intervals, mrr_intervals: their 95 % intervals over images drawn anew; not of those with too few.
    """

    key: Comparable
    metric: str
    higher_is_better: bool
    label: str
    decimals: int
    corruptions: tuple[str, ...]
    models: tuple[Hardiness, ...]
    baseline: Hardiness | None
    mce: Mapping[str, float]
    mrr: Mapping[str, float]
    mce_intervals: Mapping[str, Interval]
    mrr_intervals: Mapping[str, Interval]


def trials(rows: Groups, *, baseline: str | None = None) -> tuple[Trial, ...]:
    """Set corrupted cells beside the clean ones with the same data, settings, images and protocol.

    Args:
        rows: of all cells.
        baseline: name of the row whose mCE is to be 100 %, or None to choose.

    Raises:
        RecordsError: if the model that was asked for has no corruption under all severities.
    """
    return tuple(
        _trial(key, rows, baseline)
        for key, rows in sorted(rows.items(), key=lambda item: item[0].data)
        if any(row.manifest.corruption != "none" for row in rows)
    )


def _trial(key: Comparable, rows: Sequence[Row], wanted: str | None) -> Trial:
    metric, info = next(iter(rows[0].manifest.protocols[key.protocol].metrics.items()))
    names = sorted({row.name for row in rows if row.manifest.corruption != "none"})
    models = tuple(_hardiness(name, [row for row in rows if row.name == name], metric) for name in names)
    present = {corruption for model in models for corruption in model.means}
    baseline = _baseline(key, models, wanted)
    mce, mrr = {}, {}
    mce_intervals: dict[str, Interval] = {}
    mrr_intervals: dict[str, Interval] = {}
    for model in models:
        if baseline is None or model.unranked or not baseline.errors.keys() <= model.errors.keys():
            continue
        errors = {corruption: model.errors[corruption] for corruption in baseline.errors}
        mce[model.name] = mean_corruption_error(errors, baseline.errors)
        if model.clean_error is not None and math.isfinite(rate := mean_resilience_rate(errors, model.clean_error)):
            mrr[model.name] = rate
        of_mce, of_mrr = intervals_of(model.conditions, baseline.conditions, tuple(baseline.errors))
        if of_mce is not None:
            mce_intervals[model.name] = of_mce
        if of_mrr is not None and model.name in mrr:
            mrr_intervals[model.name] = of_mrr
    values = [mean for model in models for mean in (model.clean, *map(model.mean, present))]
    return Trial(
        key=key,
        metric=metric,
        higher_is_better=info.higher_is_better,
        label=f"{metric_label(metric)}, {'higher' if info.higher_is_better else 'lower'} is better",
        decimals=4 if info.unit == "fraction" else decimals_for(values),
        corruptions=tuple(sorted(present, key=_place)),
        models=models,
        baseline=baseline,
        mce=mce,
        mrr=mrr,
        mce_intervals=mce_intervals,
        mrr_intervals=mrr_intervals,
    )


def _baseline(key: Comparable, models: Sequence[Hardiness], wanted: str | None) -> Hardiness | None:
    complete = [model for model in models if model.errors and all(model.errors.values())]
    if wanted is not None:
        found = next((model for model in complete if model.name == wanted), None)
        if found is None:
            names = ", ".join(model.name for model in complete) or "none"
            msg = (
                f"--baseline {wanted}: expected a model with AbsRel and delta1 of a corruption under all five "
                f"severities on {key.data} under {key.protocol}, which are: {names}"
            )
            raise RecordsError(msg)
        return found
    candidates = [model for model in complete if not model.unranked]
    return max(candidates, key=lambda model: len(model.errors), default=None)


def _place(corruption: str) -> tuple[int, str]:
    return CATALOGUE.index(corruption) if corruption in CATALOGUE else len(CATALOGUE), corruption


def _hardiness(name: str, rows: Sequence[Row], metric: str) -> Hardiness:
    by_time = sorted(rows, key=lambda row: row.manifest.finished)  # of a cell that was measured again the later counts
    latest = {(row.manifest.corruption, row.manifest.severity): row for row in by_time}
    reasons = dict.fromkeys(why for row in latest.values() for why in _other_reasons(row))
    conditions = dict(latest)
    clean = latest.pop(("none", 0), None)
    means: dict[str, dict[int, float]] = {}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for (corruption, severity), row in sorted(latest.items(), key=lambda item: (_place(item[0][0]), item[0][1])):
        mean, pair = row.estimates[metric].mean, _pair(row)
        if mean is not None:
            means.setdefault(corruption, {})[severity] = mean
        if pair is not None:
            pairs.setdefault(corruption, []).append(pair)
    clean_pair = _pair(clean) if clean else None
    return Hardiness(
        name=name,
        clean=clean.estimates[metric].mean if clean else None,
        means=means,
        errors={one: corruption_error(pairs[one]) for one in pairs if len(pairs[one]) == len(SEVERITIES)},
        clean_error=depth_estimation_error(*clean_pair) if clean_pair else None,
        unranked=tuple(reasons),
        conditions=conditions,
        model=rows[0].manifest.model,
    )


def _pair(row: Row) -> tuple[float, float] | None:
    """Return the mean abs_rel and delta1, where the protocol has both."""
    if not {"abs_rel", "delta1"} <= row.estimates.keys():
        return None
    abs_rel, delta1 = row.estimates["abs_rel"].mean, row.estimates["delta1"].mean
    return None if abs_rel is None or delta1 is None else (abs_rel, delta1)


def _other_reasons(row: Row) -> tuple[str, ...]:
    """Say why the cell would not be ranked if its images were clean."""
    others = unranked_because(dataclasses.replace(row.manifest, corruption="none", severity=0), row.protocol)
    return (*others, *(reason for reason in row.unranked if reason == FLOOR))
