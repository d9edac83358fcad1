"""Time a cell of a million records from the logs of its run to the report's page, and the listing of many cells.

    python tests/benchmarks/records.py [--output records.json] [--images 200000] [--cells 2000]

Each step runs in a process of its own; the table shows its seconds on the clock and on the processor, and the most
memory that it held. The images are of 500 to a scene, which intervals are drawn by, and, in a second cell, of no scene:
there every image is drawn for itself, which costs most.
"""

# ruff: noqa: T201

import argparse
import contextlib
import dataclasses
import io
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

import src.report.__main__
import src.status
from src.records.aggregate import summarise
from src.records.reader import read_cell
from src.records.schema import RECORDS_FILE, MetricInfo, ProtocolInfo, RunManifest, SampleRecord
from src.records.table import write_table
from src.records.writer import RecordWriter, merge, write_manifest
from src.report.findings.cells import find

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
                cluster=name.partition("/")[0],
                slice="",
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
        images_per_second=1.0, git_revision="", versions={},
        started="2026-01-01T00:00:00+00:00", finished="2026-01-01T06:00:00+00:00",
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


def ungroup(folder: Path, images: int) -> None:
    """Write the cell beside the given one anew, its images belonging to no scene."""
    cell = read_cell(folder.with_name("scenes"))
    scores = {name: dataclasses.replace(one, cluster=np.full(images, "")) for name, one in cell.scores.items()}
    folder.mkdir()
    write_table(folder / RECORDS_FILE, scores)
    write_manifest(folder, manifest(images, folder.name))


def verify(folder: Path, images: int) -> None:
    """Read the columns and check them against the manifest."""
    (cell,) = find([folder]).cells
    assert len(cell.scores["metric"]) == images


def aggregate(folder: Path, images: int) -> None:
    """Read the columns and take their means, with errors and intervals."""
    summary = summarise(read_cell(folder).scores)
    assert summary["metric"]["abs_rel"]["n"] == images


def report(folder: Path, images: int) -> None:
    """Read, verify, aggregate and write the page, as `python -m src.report` does."""
    page = folder.with_suffix(".html")
    with contextlib.redirect_stdout(io.StringIO()):
        assert src.report.__main__.main([str(folder), "--output", str(page)]) == 0
    assert page.is_file()


def write_cells(folder: Path, cells: int) -> None:
    """Write the manifests of many cells."""
    for i in range(cells):
        place = folder / f"model_{i % 40}" / f"data_{i // 40}" / f"{i:012x}"
        place.mkdir(parents=True)
        (place / "manifest.json").write_text(json.dumps(dataclasses.asdict(manifest(700, place.name))))
        (place / "panels").mkdir()


def list_cells(folder: Path, cells: int) -> None:
    """Show the state of many cells, as `python -m src.status` does."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert src.status.main([str(folder)]) == 0
    assert f"{cells} done" in shown.getvalue()


def measure(step: Callable[[Path, int], None], folder: Path, count: int) -> dict[str, Any]:
    """Run a step in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row = {"step": step.__name__, "of": folder.name, "count": count, **pool.apply(_timed, (step, folder, count))}
    print("{step:12}{of:12}{count:10}{seconds:10.2f} s{processor_seconds:10.2f} s{peak_mb:10.0f} MB".format(**row))
    return row


def _timed(step: Callable[[Path, int], None], folder: Path, count: int) -> dict[str, float]:
    start, computed = time.perf_counter(), time.process_time()
    step(folder, count)
    return {
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - computed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # kilobytes on Linux
    }


def main() -> int:
    """Run every step and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    parser.add_argument("--images", type=int, default=200_000, help="each has five records")
    parser.add_argument("--cells", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scenes, alone, many = (Path(place) / name for name in ("scenes", "no_scenes", "many"))
        rows = [measure(step, scenes, options.images) for step in (log, join, verify, aggregate, report)]
        rows += [measure(step, alone, options.images) for step in (ungroup, verify, aggregate, report)]
        rows += [measure(step, many, options.cells) for step in (write_cells, list_cells)]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
