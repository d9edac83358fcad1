"""Tables -> CSV, one line per cell, protocol and metric."""

import csv
from collections.abc import Iterable
from pathlib import Path

from src.report.leaderboard import Row, Table

COLUMNS = (
    *("data", "protocol", "protocol_version", "samples", "model", "resolution", "variant"),
    *("metric", "unit", "higher_is_better", "mean", "standard_error", "low", "high", "n", "undefined"),
    *("ranked", "unranked_because", "scored", "skipped", "failed", "images_per_second", "input_sizes"),
    *("weights", "revision", "parameters", "output_space", "device", "dtype", "seed", "fingerprint", "folder"),
)


def write_csv(tables: Iterable[Table], path: Path) -> None:
    """Write all numbers of all tables at full precision; an undefined number is an empty field.

    Rows may be compared where `data`, `protocol`, `protocol_version` and `samples` agree.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for table in tables:
            for row in table.rows:
                writer.writerows(_lines(table, row))


def _lines(table: Table, row: Row) -> Iterable[dict[str, object]]:
    manifest, protocol = row.manifest, row.protocol
    shared = {
        "data": table.key.data,
        "protocol": protocol,
        "protocol_version": table.key.version,
        "samples": table.key.samples,
        "model": manifest.model,
        "resolution": manifest.resolution,
        "variant": row.variant,
        "ranked": not row.unranked,
        "unranked_because": "; ".join(row.unranked),
        "scored": manifest.scored[protocol],
        "skipped": manifest.skipped[protocol],
        "failed": manifest.failed[protocol],
        "images_per_second": manifest.images_per_second,
        "input_sizes": " ".join(f"{height}x{width}" for height, width in row.input_sizes),
        "weights": manifest.weights,
        "revision": manifest.revision,
        "parameters": manifest.parameters,
        "output_space": manifest.output_space,
        "device": manifest.device,
        "dtype": manifest.dtype,
        "seed": manifest.seed,
        "fingerprint": manifest.fingerprint,
        "folder": row.cell.folder,
    }
    for metric, info in table.info.metrics.items():
        found = row.estimates[metric]
        yield shared | {
            "metric": metric,
            "unit": info.unit,
            "higher_is_better": info.higher_is_better,
            "mean": found.mean,
            "standard_error": found.standard_error,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "undefined": found.undefined,
        }
