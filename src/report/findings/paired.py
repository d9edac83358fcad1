"""Rows of one table -> arrays with one line per image, the same image in the same line for all."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from src.records.statistics import LEAST_UNITS, Means, Units, linearised, unit_sums, units_of
from src.report.findings.row import Row

LEAST_IMAGES: Final = 10
"""With fewer images nothing is said about ranks and differences."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What m models scored on the same n images.

    Attributes:
        values: (n, m) of one metric; NaN where it is undefined for an image under a model.
        weights: (n, m) how much each counts in a mean.
        units: of the images.
    """

    values: Float64[np.ndarray, "n m"]
    weights: Float64[np.ndarray, "n m"]
    units: Units

    @property
    def enough(self) -> bool:
        """Whether there are images and clusters enough to say anything about ranks and differences."""
        return self.units.count >= (LEAST_UNITS if self.units.kind == "clusters" else LEAST_IMAGES)

    def means(self) -> Means:
        """Return the means of the models, with what each unit adds to them."""
        return linearised(*unit_sums(self.values, self.weights, self.units))

    def unit_means(self) -> Float64[np.ndarray, "u m"]:
        """Return the mean of each unit; units in which a model has none are left out for all."""
        sums, totals = unit_sums(self.values, self.weights, self.units)
        whole = (totals > 0).all(axis=1)
        means: Float64[np.ndarray, "u m"] = sums[whole] / totals[whole]
        return means


def pair(rows: Sequence[Row], metric: str) -> Paired:
    """Put the images that every row scored side by side, in the order of their names.

    Args:
        rows: of one table, so that they were asked for the same images; at least one.
        metric: of its protocol.
    """
    orders = [np.argsort(row.scored.sample_id, kind="stable") for row in rows]
    ok: Bool[np.ndarray, " n"] = np.logical_and.reduce(
        [row.scored.status[order] == "ok" for row, order in zip(rows, orders, strict=True)]
    )
    places = [order[ok] for order in orders]
    one = np.ones(len(orders[0]))
    values = [row.scored.errors[metric][place] for row, place in zip(rows, places, strict=True)]
    weights = [row.scored.weights.get(metric, one)[place] for row, place in zip(rows, places, strict=True)]
    return Paired(
        values=np.stack(values, axis=1),
        weights=np.stack(weights, axis=1),
        units=units_of(rows[0].scored.cluster[places[0]].tolist()),
    )
