"""Time a cell of a million records from the logs of its run to the report's table, and the listing of many cells.

    python tests/benchmarks/records.py [--output records.json] [--images 200000] [--cells 2000]

Each step runs in a process of its own; the table shows its seconds and the most memory that it held.
"""

# ruff: noqa: T201

import argparse
import dataclasses
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from src.records.reader import find_cells, read_cell, read_manifest
from src.records.schema import MetricInfo, ProtocolInfo, RunManifest, SampleRecord
from src.records.writer import RecordWriter, merge, write_manifest
from src.report.cells import find
from src.report.leaderboard import build_tables

PROTOCOLS = ("metric", "median_scaled", "scale", "affine_depth", "affine_disparity")
METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "delta1", "delta2", "delta3")


def names(images: int) -> list[str]:
    """Name images as a data set does."""
    return [f"scene_{i // 500:04}/camera_0/{i:08}" for i in range(images)]


def records(images: int) -> Iterator[SampleRecord]:
    """Make the rows of a run: plausible numbers, drawn once per image."""
    generator = np.random.default_rng(0)
    for index, name in enumerate(names(images)):
        errors = generator.lognormal(-2, 0.5, (len(PROTOCOLS), len(METRICS)))
        for protocol, row in zip(PROTOCOLS, errors.tolist(), strict=True):
            yield SampleRecord(
                index=index,
                sample_id=name,
                group=name.partition("/")[0],
                protocol=protocol,
                protocol_version=1,
                status="ok",
                valid_pixels=200_000,
                scale=1.0,
                shift=0.0,
                errors=dict(zip(METRICS, row, strict=True)),
                input_size=(384, 512),
                seconds=0.1,
            )


def manifest(images: int, fingerprint: str) -> RunManifest:
    """Describe the cell."""
    info = ProtocolInfo(
        version=1,
        fitted_in="nothing",
        clip=(0.001, 80.0),
        metrics={metric: MetricInfo(unit="fraction", higher_is_better="delta" in metric) for metric in METRICS},
    )
    counts = dict.fromkeys(PROTOCOLS, images)
    none = dict.fromkeys(PROTOCOLS, 0)
    return RunManifest(
        model="made_up", data="made_up", resolution="default", fingerprint=fingerprint, config={"data": {}},
        output_space="metric_depth", weights="none", revision="", random_weights=False, uses_ground_truth=False,
        parameters=0, protocols=dict.fromkeys(PROTOCOLS, info), not_applicable=[], expected=images, limited=False,
        scored=counts, skipped=none, failed=none, seed=0, world_size=1, device="none", dtype="32-true",
        images_per_second=1.0, git_revision="", versions={}, started="", finished="",
    )  # fmt: skip


def log(folder: Path, images: int) -> None:
    """Write the log of the run."""
    folder.mkdir()
    with RecordWriter(folder, 0, seconds=30.0) as writer:
        batch: list[SampleRecord] = []
        for record in records(images):
            batch.append(record)
            if len(batch) == 4 * len(PROTOCOLS):
                writer.write(batch)
                batch.clear()
        writer.write(batch)


def join(folder: Path, images: int) -> None:
    """Turn the log into columns, every image exactly once."""
    merge(folder, 1, names(images), PROTOCOLS)
    write_manifest(folder, manifest(images, folder.name))


def read(folder: Path, images: int) -> None:
    """Read the columns."""
    assert len(read_cell(folder).scores["metric"]) == images


def report(folder: Path, images: int) -> None:
    """Check the records against the manifest and build the tables of the report, with intervals."""
    tables = build_tables(find([folder]).cells)
    assert len(tables) == len(PROTOCOLS)


def write_cells(folder: Path, cells: int) -> None:
    """Write the manifests of many cells."""
    for i in range(cells):
        place = folder / f"model_{i % 40}" / f"data_{i // 40}" / f"{i:012x}"
        place.mkdir(parents=True)
        (place / "manifest.json").write_text(json.dumps(dataclasses.asdict(manifest(700, place.name))))
        (place / "panels").mkdir()


def list_cells(folder: Path, cells: int) -> None:
    """Find many cells and read what they are."""
    found = [read_manifest(place) for place in find_cells([folder])]
    assert len(found) == cells


def measure(step: Callable[[Path, int], None], folder: Path, count: int) -> dict[str, Any]:
    """Run a step in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, megabytes = pool.apply(_timed, (step, folder, count))
    row = {"step": step.__name__, "count": count, "seconds": seconds, "peak_mb": megabytes}
    print(f"{row['step']:14}{count:10}{seconds:10.2f} s{megabytes:10.0f} MB")
    return row


def _timed(step: Callable[[Path, int], None], folder: Path, count: int) -> tuple[float, float]:
    start = time.perf_counter()
    step(folder, count)
    # kilobytes on Linux
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run every step and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    parser.add_argument("--images", type=int, default=200_000, help="each has five records")
    parser.add_argument("--cells", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        one, many = Path(place) / "cell", Path(place) / "many"
        rows = [measure(step, one, options.images) for step in (log, join, read, report)]
        rows += [measure(step, many, options.cells) for step in (write_cells, list_cells)]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
