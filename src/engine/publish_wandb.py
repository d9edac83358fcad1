"""Mirror a cell's results on Weights & Biases."""

import math
from types import TracebackType
from typing import Any

import wandb

from src.engine.environment import is_first_process
from src.engine.publish import Logger
from src.records.aggregate import estimates
from src.records.reader import Cell


class WandbLogger(Logger):
    """Keeps one Weights & Biases run per cell: its configuration, summary and a table of per-image errors.

    Args:
        project: W&B project.
        entity: W&B user or team; None for the default of the account.
        offline: keep the run on disk; `wandb sync <folder>/wandb/offline-run-*` uploads it later.
        folder: of the cell.
    """

    def __init__(self, *, project: str, entity: str | None, offline: bool, folder: str) -> None:
        self._settings: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "mode": "offline" if offline else "online",
            "dir": folder,
        }
        self._run: wandb.Run | None = None

    def __enter__(self) -> "WandbLogger":
        """Open the run in process 0."""
        if is_first_process():
            # a sweep runs many cells in one process: never continue the previous cell's run
            self._run = wandb.init(**self._settings, reinit="finish_previous")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish the run, as failed if the cell raised."""
        if self._run is not None:
            self._run.finish(exit_code=int(error is not None))
            self._run = None

    def publish(self, cell: Cell) -> None:
        """Send configuration, summary and per-image errors, one table per protocol."""
        if self._run is None:
            return
        manifest = cell.manifest
        self._run.name = f"{manifest.model}/{manifest.data}/{manifest.resolution}"
        known = {**manifest.config, "fingerprint": manifest.fingerprint, "versions": manifest.versions}
        self._run.config.update(known)  # type: ignore[no-untyped-call]
        summary: dict[str, Any] = {
            "images_per_second": manifest.images_per_second,
            "random_weights": manifest.random_weights,
            "limited": manifest.limited,
        }
        for protocol, by_metric in estimates(cell.scores).items():
            for metric, estimate in by_metric.items():
                summary[f"{protocol}/{metric}"] = estimate.mean
                summary[f"{protocol}/{metric}_standard_error"] = estimate.standard_error
        for name in manifest.protocols:
            for status in ("scored", "skipped", "failed"):
                summary[f"{name}/{status}"] = getattr(manifest, status)[name]
        self._run.summary.update(summary)
        self._run.log({f"per_image/{name}": _table(cell, name) for name in manifest.protocols})


def _table(cell: Cell, protocol: str) -> wandb.Table:
    scored = cell.scores[protocol]
    columns = {
        "sample_id": scored.sample_id,
        "group": scored.group,
        "status": scored.status,
        "valid_pixels": scored.valid_pixels,
        "scale": scored.scale,
        "shift": scored.shift,
        **scored.errors,
    }
    rows = zip(*(_without_nan(column.tolist()) for column in columns.values()), strict=True)
    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])


def _without_nan(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
