"""The section about chance: cells that differ in nothing but the seed."""

import dataclasses
from collections.abc import Sequence
from statistics import fmean, stdev

from src.report.findings.leaderboard import Table
from src.report.findings.row import Row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One model under several seeds, by one metric.

    Attributes:
        table: of the leaderboard.
        metric: its first.
        name: of the model, without the seed.
        seeds: in ascending order.
        means: under each seed.
        centre: mean of them.
        deviation: sample standard deviation of them.
        error: standard error over images of the first of them, to compare with.
    """

    table: Table
    metric: str
    name: str
    seeds: tuple[int, ...]
    means: tuple[float, ...]
    centre: float
    deviation: float
    error: float | None


def spreads(tables: Sequence[Table]) -> tuple[Spread, ...]:
    """Find, in each table, the ranked rows that differ in the seed alone."""
    found = []
    for table in tables:
        groups: dict[str, list[Row]] = {}
        for row in (one for one in table.measured if not one.unranked):
            groups.setdefault(_without_seed(row), []).append(row)
        found += [_spread(table, name, rows) for name, rows in groups.items() if len(rows) > 1]
    return tuple(found)


def _without_seed(row: Row) -> str:
    kept = [part for part in row.variant.split(", ") if not part.startswith("seed=")]
    asked = "" if row.manifest.resolution == "default" else f"at {row.manifest.resolution}"
    return " ".join(part for part in (row.manifest.model, asked, ", ".join(kept)) if part)


def _spread(table: Table, name: str, rows: Sequence[Row]) -> Spread:
    metric = table.metrics[0]
    ordered = sorted(rows, key=lambda row: row.manifest.seed)
    pairs = [(row, mean) for row in ordered if (mean := row.estimates[metric].mean) is not None]
    means = [mean for _, mean in pairs]
    return Spread(
        table=table,
        metric=metric,
        name=name,
        seeds=tuple(row.manifest.seed for row, _ in pairs),
        means=tuple(means),
        centre=fmean(means) if means else float("nan"),
        deviation=stdev(means) if len(means) > 1 else 0.0,
        error=ordered[0].estimates[metric].standard_error,
    )
