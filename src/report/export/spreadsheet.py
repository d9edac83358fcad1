"""Tables -> CSV: a line per cell, protocol and metric; per average rank; per pair of models; per printed number."""

from collections.abc import Iterable
from pathlib import Path

from src.core.sheet import NamedSheet, Sheet
from src.report.findings.board import Board
from src.report.findings.differences import Differences
from src.report.findings.leaderboard import Table
from src.report.findings.papers import PaperComparison
from src.report.findings.robustness import Trial
from src.report.findings.row import Row, has_network

FILES = (
    *("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "pairs.csv", "papers.csv"),
    "ranks.csv",
    *("robustness.csv", "robustness.md", "robustness.tex"),
)
"""What lies beside a page."""

COLUMNS = (
    *("data", "protocol", "protocol_version", "samples", "model", "resolution", "variant"),
    *("metric", "unit", "higher_is_better", "mean", "standard_error", "low", "high", "n", "undefined", "clusters"),
    "domain",
    *("ranked", "unranked_because", "scored", "skipped", "failed", "images_per_second", "input_sizes"),
    *("batch_size", "latency_median", "latency_p95", "peak_memory", "flops"),
    *("weights", "revision", "parameters", "output_space", "device", "dtype", "seed", "fingerprint", "folder"),
)

RANK_COLUMNS = (
    *("protocol", "protocol_version", "distinction", "metric", "cells", "model", "rank", "low", "high"),
    *("data_sets", "verdict", "left_out"),
)

PAPER_COLUMNS = (
    *("table", "model", "checkpoint", "data", "protocol", "metric"),
    *("unit", "published", "measured", "difference", "tolerance", "tolerance_because"),
    *("verdict", "because", "source", "folder"),
)


def write_csv(tables: Iterable[Table], path: Path) -> None:
    """Write all numbers of all tables at full precision; an undefined number is an empty field.

    Rows may be compared where `data`, `protocol`, `protocol_version` and `samples` agree.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = NamedSheet(file, COLUMNS)
        writer.writeheader()
        for table in tables:
            for row in table.measured:
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
        "images_per_second": manifest.images_per_second if has_network(manifest) else None,
        "batch_size": manifest.batch_size or None,
        "latency_median": manifest.latency_median if has_network(manifest) else None,
        "latency_p95": manifest.latency_p95 if has_network(manifest) else None,
        "peak_memory": manifest.peak_memory or None,
        "flops": manifest.flops or None,
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
            "clusters": found.clusters,
            "domain": row.domain,
        }


def write_ranks(boards: Iterable[Board], path: Path) -> None:
    """Write the average ranks of every board by every metric, over all cells and over zero-shot cells alone."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = Sheet(file)
        writer.writerow(RANK_COLUMNS)
        for board in boards:
            for cells, grids in (("all", board.grids), ("zero-shot", board.zero_shot)):
                for grid in grids:
                    where = (board.protocol, board.version, board.distinction, grid.metric, cells)
                    sets = "; ".join(board.labels[place] for place in grid.shared)
                    said = (sets, grid.verdict, "; ".join(grid.left_out))
                    writer.writerows(
                        (*where, line.name, line.rank.mean, line.rank.low, line.rank.high, *said)
                        for line in grid.lines
                        if line.rank is not None
                    )


def write_pairs(found: Iterable[Differences], path: Path) -> None:
    """Write every tested pair of models once, with both tests, the effect and what they were over."""
    names = ("difference", "low", "high", "p_mean", "p_ranks", "wins", "effect", "images", "units", "outcome")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = Sheet(file)
        writer.writerow(
            ("data", "protocol", "protocol_version", "samples", "metric", "first", "second", *names, "unit")
        )
        for one in found:
            key = one.table.key
            where = (key.data, key.protocol, key.version, key.samples, one.metric)
            for place, first in enumerate(one.names):
                for second in one.names[place + 1 :]:
                    contest = one.contests[first, second]
                    writer.writerow((*where, first, second, *(getattr(contest, name) for name in names), one.unit))


def write_robustness(found: Iterable[Trial], path: Path) -> None:
    """Write mCE and mRR with their intervals, and the mean under each corruption; an undefined number is empty."""
    names = ("data", "protocol", "protocol_version", "baseline", "model", "quantity", "value", "low", "high")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = Sheet(file)
        writer.writerow((*names, "cells", "unranked_because"))
        for one in found:
            where = (one.key.data, one.key.protocol, one.key.version, one.baseline.name if one.baseline else "")
            for model in one.models:
                last = (model.cells, "; ".join(model.unranked))
                for name, values, ends in (
                    ("mCE", one.mce, one.mce_intervals), ("mRR", one.mrr, one.mrr_intervals)
                ):  # fmt: skip
                    low, high = ends.get(model.name, (None, None))
                    writer.writerow((*where, model.name, name, values.get(model.name), low, high, *last))
                writer.writerow((*where, model.name, f"{one.metric} clean", model.clean, None, None, *last))
                for corruption in one.corruptions:
                    mean = model.mean(corruption)
                    writer.writerow((*where, model.name, f"{one.metric} {corruption}", mean, None, None, *last))


def write_papers(found: Iterable[PaperComparison], path: Path) -> None:
    """Write every printed number beside the measured one."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = Sheet(file)
        writer.writerow(PAPER_COLUMNS)
        for one in found:
            for c in one.comparisons:
                what = (one.table.name, c.row.name, c.printed.checkpoint, c.row.manifest.data, c.row.protocol, c.metric)
                numbers = (c.unit, c.published, c.measured, c.difference, c.allowed.value, c.allowed.because)
                writer.writerow((*what, *numbers, c.verdict, c.because, c.printed.source, c.row.cell.folder))
