"""Close a cell: join what the processes wrote, hold it against what they computed, write the manifest last."""

import datetime
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.core.errors import RecordsError
from src.engine.cell.manifest import build_manifest, collect_reports
from src.engine.cell.plan import Plan
from src.engine.cell.request import CellRequest
from src.engine.cell.rescore import Replay
from src.engine.cell.shared import shared_fits
from src.engine.scoring.panels import PanelWriter, judge
from src.engine.scoring.pixel_store import remove_pixels
from src.records.aggregate import summarise
from src.records.reader import Cell
from src.records.schema import CONTENT_FILE, PROFILE_FILE, SUMMARY_FILE
from src.records.writer import discard_logs, merge, write_json, write_manifest


def close_cell(
    request: CellRequest, folder: Path, plan: Plan, *, content: Mapping[str, Mapping[str, Any]], started: str
) -> Cell:
    """Make a complete cell of what was scored.

    Args:
        request: what was asked for.
        folder: of the cell.
        plan: that was run.
        content: summary of the files that were read.
        started: UTC, ISO 8601.

    Raises:
        RecordsError: if an image lacks its record, or records and metrics disagree.
    """
    reports = collect_reports(folder)
    shared = shared_fits(folder, plan, merge(folder, len(reports), plan.sample_ids, list(plan.protocols)))
    scores = shared.scores
    summary = summarise(scores)
    _check_means(summary, reports[0]["means"])
    manifest = build_manifest(
        request,
        model=plan.model,
        datamodule=plan.datamodule,
        card=plan.card,
        protocols=plan.protocols,
        not_applicable=plan.not_applicable,
        scores=scores,
        reports=reports,
        content=content,
        started=started,
        finished=now(),
    )
    if isinstance(plan.model, Replay):
        manifest = plan.model.credit(manifest)
    panels = PanelWriter(folder, count=request.run.panels, total=len(plan.sample_ids))
    panels.close(judge(plan.protocols, scores), shared.complete)
    write_json(folder / SUMMARY_FILE, summary)
    if request.run.profile:
        write_json(folder / PROFILE_FILE, [report["profile"] for report in reports])
    write_manifest(folder, manifest)
    discard_logs(folder)
    remove_pixels(folder)
    (folder / CONTENT_FILE).unlink(missing_ok=True)  # the manifest has what it comes to
    return Cell(folder=folder, manifest=manifest, scores=scores)


def now() -> str:
    """Return the time of now, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _check_means(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]], means: Mapping[str, Mapping[str, Any]]
) -> None:
    """Hold the means of the records on disk against those the metrics computed across processes."""
    for protocol, estimates in summary.items():
        if protocol not in means:  # of a shared fit, scored by one process
            continue
        for metric, estimate in estimates.items():
            recorded, computed = estimate["mean"], means[protocol][metric]
            undefined = recorded is None or computed is None
            if recorded is not computed if undefined else not math.isclose(recorded, computed, rel_tol=1e-9):
                msg = (
                    f"{protocol} {metric}: the records' mean {recorded} differs from the metric's {computed}; this is "
                    "a defect of the software, please report it"
                )
                raise RecordsError(msg)
