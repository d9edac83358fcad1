"""Mirror a cell's results on Weights & Biases."""

import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import wandb

from src.core.secrets import redacted_values
from src.core.shown import cell as cell_of_sheet
from src.core.shown import shown
from src.engine.process.environment import is_first_process
from src.engine.publishing.publish import Logger
from src.records.aggregate import estimates, unranked_because
from src.records.reader import Cell
from src.report.drawing.pictures import ERROR_LIMIT, colour_depth, colour_error, depth_limits
from src.report.findings.leaderboard import build_tables
from src.report.findings.panels import read_panel
from src.report.findings.row import domain
from src.report.findings.selection import select
from src.report.findings.standing import headline
from src.report.findings.words import metres, metric_label

log = logging.getLogger(__name__)

_IMAGES = 4  # for all models, besides the worst, the median and the best


class WandbLogger(Logger):
    """Keeps one Weights & Biases run per cell: configuration, summary, per-image errors, histograms and pictures.

    The summary has the numbers of the leaderboard under `<protocol>/<metric>`, so that the table of runs, grouped by
    data variant, is the leaderboard; what is not ranked has the tag `unranked` and says why.

    If the service cannot be reached, the run is kept on disk as an offline one is, and the log says how to send it.

    Args:
        project: W&B project.
        entity: W&B user or team; None for the default of the account.
        offline: keep the run on disk; `wandb sync <folder>/wandb/offline-run-*` uploads it later.
        folder: of the cell.
        group: W&B groups the runs of one name.
        timeout: seconds to wait for the service before the run is kept on disk.
    """

    def __init__(
        self, *, project: str, entity: str | None, offline: bool, folder: str, group: str, timeout: int = 30
    ) -> None:
        self._mode: Literal["offline", "online"] = "offline" if offline else "online"
        self._settings: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "dir": folder,
            "group": group,
            "job_type": "eval",
            # a sweep runs many cells in one process: never continue the previous cell's run
            "reinit": "finish_previous",
            "settings": wandb.Settings(init_timeout=timeout),
        }
        self._run: wandb.Run | None = None

    def __enter__(self) -> "WandbLogger":
        """Open the run in process 0, unless W&B's own variable switches it off."""
        if os.environ.get("WANDB_MODE") == "disabled":
            log.info("Nothing goes to Weights & Biases, since WANDB_MODE=disabled.")
        elif is_first_process():
            try:
                self._run = wandb.init(**self._settings, mode=self._mode)
            except wandb.errors.Error as error:
                log.warning("Weights & Biases cannot be used, so its run is kept on disk: %s", error)
                self._run = wandb.init(**self._settings, mode="offline")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish the run, as failed if the cell raised."""
        if self._run is not None:
            place, offline = Path(self._run.dir).parent, self._run.offline
            self._run.finish(exit_code=int(error is not None))
            self._run = None
            if offline:
                log.info("To send this run to Weights & Biases: wandb sync %s", place)

    def publish(self, cell: Cell) -> None:
        """Send configuration, summary, and for each protocol a table of per-image errors and their histograms."""
        if self._run is None:
            return
        manifest = cell.manifest
        self._run.name = f"{manifest.model}/{manifest.data}/{manifest.resolution}"
        unranked = any(unranked_because(manifest, protocol) for protocol in manifest.protocols)
        marks = {"unranked": unranked, manifest.corruption: manifest.corruption != "none"}
        special = (mark for mark, holds in marks.items() if holds)
        self._run.tags = (manifest.model, manifest.data, *manifest.protocols, domain(manifest), *special)
        known = {
            **manifest.config,
            "model_name": manifest.model,
            "data_name": manifest.data,
            "fingerprint": manifest.fingerprint,
            "versions": manifest.versions,
            "device": manifest.device,
            "weights": manifest.weights,
            "revision": manifest.revision,
            "git_revision": manifest.git_revision,
        }
        self._run.config.update(redacted_values(known))  # type: ignore[no-untyped-call]
        self._run.summary.update(summary_of(cell))
        logged: dict[str, Any] = {f"per_image/{name}": _table(cell, name) for name in manifest.protocols}
        for protocol, scored in cell.scores.items():
            for metric, values in scored.errors.items():
                if np.isfinite(values).any():
                    histogram = wandb.Histogram(values[np.isfinite(values)].tolist())
                    logged[f"histogram/{protocol}/{metric}"] = histogram
        pictures = list(_pictures(cell))
        self._run.log(logged | ({"pictures": pictures} if pictures else {}))


def summary_of(cell: Cell) -> dict[str, Any]:
    """Return what the leaderboard says of a cell, under flat names."""
    manifest = cell.manifest
    summary: dict[str, Any] = {
        "images_per_second": manifest.images_per_second,
        "batch_size": manifest.batch_size,
        "latency_median": manifest.latency_median,
        "latency_p95": manifest.latency_p95,
        "peak_memory": manifest.peak_memory or None,
        "flops": manifest.flops or None,
        "parameters": manifest.parameters,
        "random_weights": manifest.random_weights,
        "limited": manifest.limited,
        "domain": domain(manifest),
        "corruption": manifest.corruption,
        "severity": manifest.severity,
    }
    for protocol, by_metric in estimates(cell.scores).items():
        reasons = unranked_because(manifest, protocol)
        summary |= {f"{protocol}/ranked": not reasons, f"{protocol}/unranked_because": ", ".join(reasons)}
        for metric, estimate in by_metric.items():
            summary[f"{protocol}/{metric}"] = estimate.mean
            summary[f"{protocol}/{metric}_standard_error"] = estimate.standard_error
            summary[f"{protocol}/{metric}_low"] = estimate.low
            summary[f"{protocol}/{metric}_high"] = estimate.high
            summary[f"{protocol}/{metric}_n"] = estimate.n
        for status in ("scored", "skipped", "failed"):
            summary[f"{protocol}/{status}"] = getattr(manifest, status)[protocol]
    return summary


def _pictures(cell: Cell) -> Iterator[wandb.Image]:
    """Draw the kept images under the first protocol: image, truth, aligned prediction and error side by side."""
    for wanted in select(build_tables([cell]), count=_IMAGES):
        standing, row = wanted.standing, wanted.row
        if row.protocol != next(iter(cell.manifest.protocols)) or standing is None:
            continue
        panel = read_panel(wanted.file, row.protocol, expected=standing.sample_id)
        limits = depth_limits(panel.depth, panel.valid)
        if limits is None:
            continue
        maps = (
            panel.image,
            colour_depth(panel.depth, panel.valid, limits),
            colour_depth(panel.aligned, np.ones_like(panel.valid), limits),
            colour_error(panel.aligned, panel.depth, panel.valid),
        )
        metric = headline(row)
        value = "" if standing.value is None else f" {standing.value:.4f}"
        yield wandb.Image(
            np.concatenate(maps, axis=1),
            caption=f"{shown(panel.sample_id)}: {row.protocol} {metric_label(metric)}{value} {standing.status}, "
            f"{standing.label}; image, truth, prediction, error; {metres(limits[0])} m bright to {metres(limits[1])} m "
            f"dark, error blue too near, red too far, ±{ERROR_LIMIT:.0%}, grey no truth",
        )


def _table(cell: Cell, protocol: str) -> wandb.Table:
    scored = cell.scores[protocol]
    columns = {
        "sample_id": scored.sample_id,
        "cluster": scored.cluster,
        "slice": scored.slice,
        "status": scored.status,
        "reason": scored.reason,
        "valid_pixels": scored.valid_pixels,
        "scale": scored.scale,
        "shift": scored.shift,
        "input_height": scored.input_size[:, 0],
        "input_width": scored.input_size[:, 1],
        "seconds": scored.seconds,
        **scored.errors,
    }
    rows = zip(*(_without_nan(column.tolist()) for column in columns.values()), strict=True)
    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])


def _without_nan(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and math.isnan(value) else cell_of_sheet(value) for value in values]
