"""One hydra job: run the cell, show it; in a sweep, report how it ended and let the others go on."""

import contextlib
import logging
import os
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.core.errors import ConfigError
from src.core.terminal import terminal
from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.lock import is_held
from src.engine.cell.request import read_cell_request
from src.engine.cell.run import run_cell
from src.engine.cell.words import own_words
from src.engine.process.device_slot import take_device
from src.engine.process.environment import is_first_process
from src.engine.process.family import follow_parent, refuse_company
from src.engine.process.interrupt import EXIT_CODE, Interrupted
from src.engine.scoring.stages import print_profile
from src.engine.terminal import sweep
from src.engine.terminal.digits import print_cost_in_digits
from src.engine.terminal.explain import explain
from src.engine.terminal.secrets import refuse_secrets
from src.engine.terminal.table import print_cell
from src.records.schema import PROFILE_FILE
from src.records.status import note

log = logging.getLogger(__name__)


def run_job(
    cfg: DictConfig,
    task: Callable[[DictConfig, Path], None] | None = None,
    *,
    loaded: LoadedModel | None = None,
    failures: list[Exception] | None = None,
) -> None:
    """Run one job, which is a cell unless said otherwise.

    Args:
        cfg: the composed configuration.
        task: what to run in place of a cell, given the configuration and the job's folder; shows its own result.
        loaded: keeps the model of a cell for the next one, if given.
        failures: takes what a single run failed of in place of raising it, if given: hydra writes all overrides before
            an error that passes through it.

    Raises:
        ConfigError: if the configuration holds a key; nothing was run.
        Exception: what the cell raised, in a single run. In a sweep the ledger is told instead, and the exit code of
            the whole command follows from it.
    """
    job = HydraConfig.get()
    show = task or partial(_run_and_show, loaded=loaded or LoadedModel())
    if job.mode == RunMode.RUN:
        try:
            _refuse(cfg)
            show(cfg, Path(job.runtime.output_dir))
        except Exception as error:
            if failures is None:
                raise
            # while hydra knows the choices that its errors are about
            said = explain(error) if isinstance(error, OmegaConfBaseException) else None
            failures.append(ConfigError(said) if said else error)
        return
    _refuse(cfg)
    folder, ledger = Path(job.runtime.output_dir), Path(cfg.sweep_ledger)
    if "joblib" in job.launcher._target_:  # other launchers run one cell at a time, or give each job its devices
        take_device(ledger)
        if sweep.stop_file(ledger).exists():
            return
        follow_parent(sweep.stop_file(ledger))
    try:
        show(cfg, folder)
        status, detail = "done", os.path.relpath(folder)
    except Interrupted as error:
        log.error("%s: %s", folder, error)  # meant for the user
        if sweep.stop_file(ledger).exists():
            return  # the command knows; what ends here any sooner would take the cells beside it along
        # hydra would take an exception for the failure of this cell and start the next
        raise SystemExit(EXIT_CODE) from error
    except Exception as error:
        message = explain(error)
        if message is None:
            log.exception("%s: failed", folder)
        else:
            log.error("%s: %s", folder, message)  # the message is meant for the user, without traceback
        status, detail = "failed", message or f"{type(error).__name__}: {error}"
    overrides = " ".join(own_words(job.overrides.task))
    outcome = sweep.CellOutcome(job=job.job.num, overrides=overrides, status=status, detail=detail)  # type: ignore[arg-type]
    sweep.report(ledger, outcome)


def _note_end(folder: Path, error: BaseException) -> None:
    """Leave a word about why the cell is not done, unless it is somebody else's or the disk does not take it."""
    if is_first_process() and not is_held(folder):
        stopped = isinstance(error, Interrupted | KeyboardInterrupt | SystemExit)
        reason = explain(error) or f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            note(
                folder,
                state="interrupted" if stopped else "failed",
                reason=reason,
                command=shlex.join(own_words(HydraConfig.get().overrides.task)),
            )


def _refuse(cfg: DictConfig) -> None:
    """Refuse what must not run at all, and leave no folder for it.

    Raises:
        ConfigError: if the configuration holds a key, or is for one process where several were started.
    """
    try:
        refuse_secrets(cfg)
        refuse_company(cfg.trainer.devices, cfg.trainer.num_nodes, cfg.trainer.strategy)
    except ConfigError:
        runtime = HydraConfig.get().runtime
        if not OmegaConf.is_missing(runtime, "output_dir"):
            _remove_if_empty(Path(runtime.output_dir))
        raise


def _remove_if_empty(folder: Path) -> None:
    """Remove the folder that hydra has made for a cell that is not run, and those above that hold nothing else."""
    for place in (folder, folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):
            place.rmdir()


def _run_and_show(cfg: DictConfig, folder: Path, loaded: LoadedModel) -> None:
    try:
        request = read_cell_request(cfg)
    except (ConfigError, OmegaConfBaseException):
        _remove_if_empty(folder)
        raise
    try:
        cell = run_cell(request, Builder(cfg), folder, loaded)
    except BaseException as error:
        loaded.drop()
        _note_end(folder, error)
        raise
    if cell is not None:
        note(folder, state="done")
        print_cell(cell, terminal())
        print_cost_in_digits(cell, terminal())
        if request.run.profile and (folder / PROFILE_FILE).is_file():
            print_profile(folder, terminal())
