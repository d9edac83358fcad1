"""Mirror a cell's results elsewhere; the records on disk stay the primary copy."""

import dataclasses
from pathlib import Path
from types import TracebackType

from src.core.sheet import NamedSheet
from src.records.aggregate import estimates
from src.records.reader import Cell


class Logger:
    """Receives one complete cell, and sends it nowhere; the others build on it.

    A context manager around the run, so that what a logger opens is closed in any case.
    """

    def __enter__(self) -> "Logger":
        """Start; only process 0 of a run may create anything."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish."""
        return

    def publish(self, cell: Cell) -> None:
        """Send the configuration, the summary and the per-image errors of a cell."""


class CsvLogger(Logger):
    """Writes the means of a cell to `csv/metrics.csv` in its folder.

    Args:
        folder: of the cell.
    """

    def __init__(self, *, folder: str) -> None:
        self._path = Path(folder) / "csv" / "metrics.csv"

    def publish(self, cell: Cell) -> None:
        """Write one row per protocol and metric."""
        rows = [
            {"protocol": protocol, "metric": metric, **dataclasses.asdict(estimate)}
            for protocol, by_metric in estimates(cell.scores).items()
            for metric, estimate in by_metric.items()
        ]
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("w", encoding="utf-8", newline="") as file:
            writer = NamedSheet(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
