"""From per-image values to a mean that says how sure it is, and whether it may be ranked."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from src.records.schema import RunManifest
from src.records.table import Scored

RESAMPLES = 1000
_DRAWS_AT_ONCE = 4_000_000  # bounds memory: this many indices are drawn together


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean of one metric over the images of a cell, with its uncertainty.

    Attributes:
        mean: over the images that have a value, weighted as the records say (equally, unless a metric pools something
            smaller than images); None where none has.
        standard_error: of the mean over images drawn anew; sample standard deviation / sqrt(n) for equal weights.
            None for fewer than two images.
        low, high: bootstrap 95 % interval of the mean over resampled images; None for fewer than two images.
        n: number of images that have a value.
        undefined: scored images for which the metric is undefined; they are left out of the mean.
    """

    mean: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    undefined: int


def estimates(
    scores: Mapping[str, Scored], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric under every protocol from the records of one cell.

    Only images with status `ok` count.

    Args:
        scores: of one cell, by protocol.
        resamples: bootstrap draws.
        seed: of the draws; cells with equally many images are resampled alike.

    Returns:
        Protocol -> metric -> estimate, both in the order of the records.
    """
    return {
        protocol: _estimates_of_protocol(scored, resamples=resamples, seed=seed) for protocol, scored in scores.items()
    }


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
        f"limited to {manifest.expected} image{'s' * (manifest.expected != 1)}": manifest.limited,
        f"{failed} failed": failed > 0,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _estimates_of_protocol(scored: Scored, *, resamples: int, seed: int) -> dict[str, Estimate]:
    metrics = list(scored.errors)
    ok = scored.select(scored.status == "ok")
    one = np.ones(len(ok))
    values = np.stack([ok.errors[metric] for metric in metrics], axis=1)
    weights = np.stack([ok.weights.get(metric, one) for metric in metrics], axis=1)
    weights = np.where(np.isfinite(values), weights, 0.0)
    values = np.where(weights > 0, values, 0.0)
    bounds = _bootstrap_bounds(values, weights, resamples=resamples, seed=seed)
    return {metric: _estimate(values[:, k], weights[:, k], bounds[:, k]) for k, metric in enumerate(metrics)}


def _estimate(
    values: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], bounds: Float64[np.ndarray, " 2"]
) -> Estimate:
    n, total = int((weights > 0).sum()), weights.sum()
    if n == 0:
        return Estimate(mean=None, standard_error=None, low=None, high=None, n=0, undefined=len(values))
    mean = (weights * values).sum() / total
    # of a ratio of two sums: Cochran, "Sampling Techniques", 1977, section 2.11
    variance = ((weights * (values - mean)) ** 2).sum() / total**2 * n / max(n - 1, 1)
    spread = n > 1
    return Estimate(
        mean=float(mean),
        standard_error=float(np.sqrt(variance)) if spread else None,
        low=float(bounds[0]) if spread else None,
        high=float(bounds[1]) if spread else None,
        n=n,
        undefined=len(values) - n,
    )


def _bootstrap_bounds(
    values: Float64[np.ndarray, "n k"], weights: Float64[np.ndarray, "n k"], *, resamples: int, seed: int
) -> Float64[np.ndarray, "2 k"]:
    """Percentile bootstrap (Efron & Tibshirani 1993, chapter 13): 2.5 % and 97.5 % points of the resampled means.

    A resample is a count per image, so that one matrix product gives the means of all metrics. One that hits none of
    a metric's defined images says nothing about it and is left out.
    """
    n, k = values.shape
    if n == 0:
        return np.full((2, k), np.nan)
    weighted = weights * values
    generator = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, step := max(1, _DRAWS_AT_ONCE // n)):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, n, (rows, n))
        counts = np.bincount((drawn + n * np.arange(rows)[:, None]).ravel(), minlength=rows * n).reshape(rows, n)
        total = counts @ weights
        means.append(np.divide(counts @ weighted, total, out=np.full_like(total, np.nan), where=total > 0))
    distribution = np.concatenate(means)
    bounds = np.full((2, k), np.nan)
    seen = np.isfinite(distribution).any(axis=0)
    bounds[:, seen] = np.nanquantile(distribution[:, seen], (0.025, 0.975), axis=0)
    return bounds
