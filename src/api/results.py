"""load_results: finished cells as an Arrow table, which pandas and polars take."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from src.core.errors import ConfigError
from src.records.aggregate import estimates, unranked_because
from src.records.reader import Cell, find_cells, read_cell
from src.records.table import to_records


def load_results(*folders: str | Path, per: Literal["metric", "image"] = "metric") -> pa.Table:
    """Read every finished cell at or below some folders.

    `load_results("outputs").to_pandas()`, or `polars.from_arrow(load_results("outputs"))`.

    Args:
        folders: of cells, or of folders of cells; "outputs" where none is given.
        per: "metric" for a row for each mean, with its interval, counts and what keeps it from being ranked; "image"
            for a row for each image and protocol, with a column for each error.

    Raises:
        RecordsError: if a folder or a file of a cell is missing or damaged.
        ConfigError: if `per` is something else.
    """
    if per not in ("metric", "image"):
        msg = f"per: expected metric or image, got {per!r}"
        raise ConfigError(msg)
    cells = (read_cell(folder) for folder in find_cells([Path(folder) for folder in folders or ("outputs",)]))
    rows = [row for cell in cells for row in (_means(cell) if per == "metric" else _images(cell))]
    # names in order of first appearance: cells differ in their metrics
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _of_cell(cell: Cell) -> dict[str, Any]:
    made = cell.manifest
    return {
        "model": made.model,
        "data": made.data,
        "resolution": made.resolution,
        "corruption": made.corruption,
        "severity": made.severity,
        "seed": made.seed,
        "fingerprint": made.fingerprint,
        "folder": str(cell.folder),
    }


def _means(cell: Cell) -> Iterator[dict[str, Any]]:
    for protocol, by_metric in estimates(cell.scores).items():
        info = cell.manifest.protocols[protocol]
        for metric, estimate in by_metric.items():
            yield {
                **_of_cell(cell),
                "protocol": protocol,
                "protocol_version": info.version,
                "metric": metric,
                "unit": info.metrics[metric].unit,
                "higher_is_better": info.metrics[metric].higher_is_better,
                **dataclasses.asdict(estimate),
                "scored": cell.manifest.scored[protocol],
                "skipped": cell.manifest.skipped[protocol],
                "failed": cell.manifest.failed[protocol],
                "unranked_because": "; ".join(unranked_because(cell.manifest, protocol)),
            }


def _images(cell: Cell) -> Iterator[dict[str, Any]]:
    for record in to_records(cell.scores):
        columns = dataclasses.asdict(record)
        errors = columns.pop("errors")
        for name in ("weights", "depth_pixels", "depth_abs_rel"):
            del columns[name]
        height, width = columns.pop("input_size")
        yield {**_of_cell(cell), **columns, "input_height": height, "input_width": width, **errors}
