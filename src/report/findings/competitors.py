"""Rows of one table -> those that compete: one for each model with its settings, whatever the seed."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import stdev

import numpy as np

from src.records.aggregate import estimates
from src.records.table import Scored
from src.report.findings.row import Row


def competitors(rows: Sequence[Row]) -> list[Row]:
    """Join ranked rows that differ in the seed alone, and those whose every number is the same.

    Replicates would take places from others, push data sets out of the ones that all share, and use up the correction
    for the number of pairs. Rows that are not ranked stay as they are.

    Args:
        rows: of one table.
    """
    ranked = [row for row in rows if not row.unranked]
    joined: dict[str, list[Row]] = {}
    for row in ranked:
        joined.setdefault(_without_seed(row).name, []).append(row)
    means = [_mean_over_seeds(members) for members in joined.values()]
    return [*_without_duplicates(means), *(row for row in rows if row.unranked)]


def aliases(tables: Iterable[Sequence[Row]]) -> Mapping[str, str]:
    """Return, for names that some table merges, the name that stands for them everywhere.

    A name is left alone where another table holds it beside the one that stands for it, with other numbers.
    """
    tables = [tuple(rows) for rows in tables]
    found = {other: row.name for rows in tables for row in rows for other in row.same_as}
    names = [{row.name for row in rows} for rows in tables]
    return {other: name for other, name in found.items() if not any({other, name} <= together for together in names)}


def _without_seed(row: Row) -> Row:
    kept = [part for part in row.variant.split(", ") if not part.startswith("seed=")]
    return dataclasses.replace(row, variant=", ".join(kept))


def _mean_over_seeds(rows: Sequence[Row]) -> Row:
    """Average the errors of each image over the seeds, so that intervals are over images and stay paired."""
    ordered = sorted(rows, key=lambda row: row.manifest.seed)
    first = _without_seed(ordered[0])
    if len(rows) == 1:
        return first
    scored = _averaged([row.scored for row in ordered])
    means = {
        metric: [mean for row in ordered if (mean := row.estimates[metric].mean) is not None]
        for metric in first.estimates
    }
    return dataclasses.replace(
        first,
        cell=dataclasses.replace(first.cell, scores={**first.cell.scores, first.protocol: scored}),
        estimates=estimates({first.protocol: scored})[first.protocol],
        seeds=tuple(row.manifest.seed for row in ordered),
        deviations={metric: stdev(values) if len(values) > 1 else 0.0 for metric, values in means.items()},
    )


def _averaged(parts: Sequence[Scored]) -> Scored:
    """An image has a value where it has one under every seed, and the first seed's status, scale and time."""
    first = parts[0]
    return dataclasses.replace(
        first,
        errors={metric: np.mean([part.errors[metric] for part in parts], axis=0) for metric in first.errors},
        weights={metric: np.mean([part.weights[metric] for part in parts], axis=0) for metric in first.weights},
    )


def _without_duplicates(rows: Sequence[Row]) -> list[Row]:
    """Of rows of one model with the same error on every image keep one, rather that at the default resolution."""
    alike: dict[tuple[str, bytes], list[Row]] = {}
    for row in rows:
        order = np.argsort(row.scored.sample_id, kind="stable")
        numbers = b"".join(values[order].tobytes() for values in row.scored.errors.values())
        alike.setdefault((row.manifest.model, numbers), []).append(row)
    kept = []
    for members in alike.values():
        first, *others = sorted(
            members, key=lambda row: (row.manifest.resolution != "default", len(row.name), row.name)
        )
        kept.append(dataclasses.replace(first, same_as=tuple(sorted(row.name for row in others))))
    return kept
