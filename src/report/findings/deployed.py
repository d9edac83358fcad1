"""What was shipped beside what it was made from, on the same images: exported and quantised files, other runtimes."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from src.records.schema import RunManifest
from src.records.statistics import intervals, linearised, unit_sums
from src.report.findings.leaderboard import Table
from src.report.findings.paired import pair
from src.report.findings.row import Row

WORSE: Final = 0.05
"""An image got worse if its error grew by more than this part."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of the mean of one metric, deployed minus original; the 95 % interval is None with too few images or clusters."""

    metric: str
    original: float
    difference: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployed cell beside its original.

    Attributes:
        table: that both stand in.
        deployed, original: the rows.
        changes: by metric, in the order of the protocol.
        images: that both scored.
        worse: share of them that got worse by more than 5 % in the first metric.
        worst: name of the image that got worse most, and its values of that metric: original, deployed.
        bytes: of the file; 0 of a network that another runtime computes.
    """

    table: Table
    deployed: Row
    original: Row
    changes: tuple[Change, ...]
    images: int
    worse: float
    worst: tuple[str, float, float]
    bytes: int


def deployments(tables: Sequence[Table]) -> tuple[Deployment, ...]:
    """Find every deployed cell whose original was measured on the same images under the same protocol."""
    found = []
    for table in tables:
        for row in table.measured:
            original = next((other for other in table.measured if _is_original(other.manifest, row.manifest)), None)
            if original is not None and (one := _compare(table, row, original)) is not None:
                found.append(one)
    return tuple(found)


def _is_original(other: RunManifest, deployed: RunManifest) -> bool:
    if other.compute or "exported_from" in other.settings:
        return False
    name = deployed.settings.get("exported_from")
    if name is not None:
        weights = (deployed.settings.get("original_weights"), deployed.settings.get("original_revision"))
        return other.model == name and (other.weights, other.revision) == weights
    same = ("model", "resolution", "seed", "weights", "revision")
    return set(deployed.compute) == {"runtime"} and all(getattr(other, key) == getattr(deployed, key) for key in same)


def _compare(table: Table, deployed: Row, original: Row) -> Deployment | None:
    changes = []
    for metric in table.info.metrics:
        paired = pair((deployed, original), metric)
        both = np.isfinite(paired.values).all(axis=1)
        if not both.any():
            continue
        difference = np.where(both, paired.values[:, 0] - paired.values[:, 1], np.nan)[:, None]
        means = linearised(*unit_sums(difference, paired.weights[:, :1], paired.units))
        low, high = intervals(means, skewed=False)[:, 0] if paired.enough else (np.nan, np.nan)
        changes.append(
            Change(
                metric=metric,
                original=float(original.estimates[metric].mean or np.nan),
                difference=float(np.average(difference[both, 0], weights=paired.weights[both, 0])),
                low=float(low) if np.isfinite(low) else None,
                high=float(high) if np.isfinite(high) else None,
            )
        )
    if not changes:
        return None
    metric = changes[0].metric
    values = pair((deployed, original), metric).values
    names = np.sort(deployed.scored.sample_id[deployed.scored.status == "ok"])
    growth = (values[:, 0] - values[:, 1]) / np.maximum(np.abs(values[:, 1]), np.finfo(float).tiny)
    growth = -growth if table.info.metrics[metric].higher_is_better else growth
    growth = np.where(np.isfinite(growth), growth, -np.inf)
    place = int(growth.argmax())
    name = str(names[place]) if len(names) == len(values) else "an image"
    return Deployment(
        table=table,
        deployed=deployed,
        original=original,
        changes=tuple(changes),
        images=len(values),
        worse=float((growth > WORSE).mean()),
        worst=(name, float(values[place, 1]), float(values[place, 0])),
        bytes=int(deployed.manifest.settings.get("bytes", 0)),
    )
