"""From per-image values to a mean that says how sure it is, and whether it may be ranked."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from src.records import statistics
from src.records.schema import RunManifest
from src.records.table import Scored


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean of one metric over the images of a cell, with its uncertainty.

    Attributes:
        mean: over the images that have a value, weighted as the records say (equally, unless a metric pools something
            smaller than images); None where none has.
        standard_error: of the mean over images, or clusters of them, drawn anew; sample standard deviation / sqrt(n)
            for images of equal weight. None for fewer than two.
        low, high: 95 % interval of the mean, drawn anew likewise (`statistics.intervals`); None for fewer than five
            images, or fewer than two clusters.
        n: number of images that have a value.
        undefined: scored images for which the metric is undefined; they are left out of the mean.
        clusters: how many clusters are drawn anew, or None where images are (`statistics.units_of`).
    """

    mean: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    undefined: int
    clusters: int | None = None

    @property
    def few(self) -> bool:
        """Whether its clusters are too few for the interval to be relied on."""
        return self.clusters is not None and self.clusters < statistics.LEAST_UNITS


def estimates(scores: Mapping[str, Scored]) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric under every protocol from the records of one cell.

    Only images with status `ok` count.

    Args:
        scores: of one cell, by protocol.

    Returns:
        Protocol -> metric -> estimate, both in the order of the records.
    """
    return {protocol: _estimates_of_protocol(scored) for protocol, scored in scores.items()}


def summarise(scores: Mapping[str, Scored]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the `estimates` of a cell as plain JSON values."""
    return {
        protocol: {metric: dataclasses.asdict(estimate) for metric, estimate in by_metric.items()}
        for protocol, by_metric in estimates(scores).items()
    }


def unranked_because(manifest: RunManifest, protocol: str) -> tuple[str, ...]:
    """Say why a cell may not be ranked under a protocol; empty where it may."""
    failed = manifest.failed.get(protocol, 0)
    reasons: Mapping[str, bool] = {
        "random weights": manifest.random_weights,
        "uses ground truth": manifest.uses_ground_truth,
        f"corrupted: {manifest.corruption} {manifest.severity}": manifest.corruption != "none",
        f"limited to {manifest.expected} image{'s' * (manifest.expected != 1)}": manifest.limited,
        f"{failed} failed": failed > 0,
        "nothing scored": manifest.scored.get(protocol, 0) == 0,
        f"{manifest.unreadable} unreadable": manifest.unreadable > 0,
        f"scored from {manifest.rescored_precision} predictions": manifest.rescored_precision not in ("", "float32"),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _estimates_of_protocol(scored: Scored) -> dict[str, Estimate]:
    metrics = list(scored.errors)
    ok = scored.select(scored.status == "ok")
    units = statistics.units_of(ok.cluster.tolist())
    one = np.ones(len(ok))
    values = np.stack([ok.errors[metric] for metric in metrics], axis=1)
    weights = np.stack([ok.weights.get(metric, one) for metric in metrics], axis=1)
    means = statistics.linearised(*statistics.unit_sums(values, weights, units))
    low, high = statistics.intervals(means, skewed=True)
    errors = statistics.standard_errors(means)
    holding = (np.isfinite(values) & (weights > 0)).sum(axis=0)
    found = {}
    for k, metric in enumerate(metrics):
        n, drawn = int(holding[k]), int(means.units[k])
        held = drawn >= (2 if units.kind == "clusters" else statistics.LEAST_UNITS)
        found[metric] = Estimate(
            mean=float(means.values[k]) if n else None,
            standard_error=float(errors[k]) if drawn > 1 else None,
            low=float(low[k]) if held else None,
            high=float(high[k]) if held else None,
            n=n,
            undefined=len(ok) - n,
            clusters=drawn if units.kind == "clusters" else None,
        )
    return found
