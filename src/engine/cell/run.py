"""Run one cell in four steps: plan it, open its folder, score its images, close it."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.engine.cell.build import Builder
from src.engine.cell.close import close_cell, now
from src.engine.cell.content import content_of, refuse_changed, summary_of
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.lock import sole_writer
from src.engine.cell.plan import Plan, make_plan
from src.engine.cell.request import CellRequest, Running
from src.engine.cell.resume import refuse_foreign, resume
from src.engine.process.environment import is_first_process, quieten
from src.engine.scoring.pixel_store import remove_pixels
from src.engine.scoring.sharing import shared_only
from src.records.reader import Cell, is_complete, read_cell
from src.records.schema import CONFIG_FILE
from src.records.status import note
from src.records.table import Scored

log = logging.getLogger(__name__)


def run_cell(request: CellRequest, build: Builder, folder: Path, loaded: LoadedModel | None = None) -> Cell | None:
    """Score one model on one data variant, unless that has been done.

    Args:
        request: what is asked for.
        build: makes the parts.
        folder: of the cell.
        loaded: has the model of the cell before, and keeps this one's; None to build it in any case.

    Returns:
        The complete cell, or None in a process other than the first of a multi-process run.

    Raises:
        LeadlineError: for everything the user can mend.
    """
    is_first, run = is_first_process(), request.run
    refuse_foreign(request.measured, folder)
    if is_complete(folder) and not run.force:
        return _finished(run, build, folder) if is_first else None
    started = now()
    quieten()
    plan = make_plan(request, build, folder, loaded or LoadedModel())
    if not is_first:
        plan.predict()
        return None
    with sole_writer(folder, wait=run.wait) as lock:
        refuse_foreign(request.measured, folder)
        if is_complete(folder) and not run.force:  # by the process that was waited for
            return _finished(run, build, folder)
        with build.logger() as logger:
            kept, content = _open(request, build, folder, plan)
            plan.predict(kept)
            lock.check()
            cell = close_cell(request, folder, plan, content=content, started=started)
            logger.publish(cell)
    return cell


def _open(
    request: CellRequest, build: Builder, folder: Path, plan: Plan
) -> tuple[Mapping[str, Scored], Mapping[str, Mapping[str, Any]]]:
    """Note what is going to run; return what an interrupted run left and a summary of the files that are read."""
    content = content_of(build, plan.datamodule, plan.model)
    kept = resume(
        request.run,
        folder,
        sample_ids=plan.sample_ids,
        protocols={name: protocol.version for name, protocol in plan.protocols.items()},
        rescored_from=plan.rescored_from,
        content=content,
        keeps_pixels=bool(shared_only(plan.protocols)),
    )
    note(
        folder,
        state="running",
        command=request.command,
        fingerprint=request.measured.fingerprint,
        measured=request.measured.resolved,
        expected=len(plan.sample_ids),
        protocols=len(plan.protocols),
        started=time.time(),
        rescored_from=plan.rescored_from,
    )
    build.write(folder / CONFIG_FILE)
    return kept, summary_of(content)


def _finished(run: Running, build: Builder, folder: Path) -> Cell:
    cell = read_cell(folder)
    remove_pixels(folder)  # of a run that was killed when it had ended
    refuse_changed(build, cell.manifest.content, of=f"{folder} is finished")
    log.info("Already finished, so nothing was run; force=true runs it again.")
    if cell.manifest.unreadable:
        log.warning("%d images could not be read then; force=true tries again.", cell.manifest.unreadable)
    if run.profile:
        log.warning("Nothing was timed, so there is no profile; force=true times it.")
    if run.save_predictions and not cell.manifest.saved_predictions:
        log.warning("Its predictions were not saved then; force=true predicts again and saves them.")
    with build.logger() as logger:  # asked for now, from the records
        logger.publish(cell)
    return cell
