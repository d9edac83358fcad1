"""What surrounds hydra on the command line: help, errors, sweeps, exit codes. Imports nothing heavy."""

import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from src.engine.cell.words import LEDGER
from src.engine.process.interrupt import EXIT_CODE, Interrupted
from src.engine.terminal import sweep
from src.engine.terminal.explain import explain
from src.engine.terminal.order import arrange
from src.engine.terminal.overview import overview

_MULTIRUN = {"-m", "--multirun"}


def execute(task: Callable[[], None], *, conf: Path, config: str, arguments: list[str]) -> int:
    """Run a hydra task and return the exit code: 0, 1 if it or a cell of its sweep failed, 75 if it was interrupted.

    Args:
        task: the function decorated by `hydra.main`; reads `sys.argv`.
        conf: folder of the configuration.
        config: name of the primary configuration.
        arguments: `sys.argv`, which a sweep extends by its ledger.
    """
    options = set(arguments[1:])
    if options & {"-h", "--help"}:
        print(overview(conf, config))  # noqa: T201  # what --help is for
        return 0
    # hydra re-raises errors instead of printing them in its own words
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    if not options & _MULTIRUN:
        return _guard(task, conf)
    folder = Path.cwd() / "outputs" / ".sweeps"  # below the working folder, which all machines of a cluster share
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / f"{uuid.uuid4().hex}.jsonl"
    _prepare(arguments, ledger)
    try:
        code = _guard(task, conf)
    finally:
        outcomes = sweep.read(ledger)
        if outcomes:
            sweep.print_outcomes(outcomes, Console())
        ledger.unlink(missing_ok=True)
        for slot in folder.glob(f"{ledger.stem}.slot*"):  # see device_slot
            slot.unlink(missing_ok=True)
    return max(code, int(any(outcome.status == "failed" for outcome in outcomes)))


def _prepare(arguments: list[str], ledger: Path) -> None:
    """Arrange the overrides of a sweep and add that of its ledger beside them, since they may not stand apart."""
    places = [place for place, word in enumerate(arguments) if place and "=" in word and not word.startswith("-")]
    for place, word in zip(places, arrange([arguments[place] for place in places]), strict=True):
        arguments[place] = word
    arguments.insert(places[0] if places else len(arguments), f"{LEDGER}{ledger}")


def _guard(task: Callable[[], None], conf: Path) -> int:
    try:
        task()
    except Exception as error:
        message = explain(error, conf)
        if message is None:
            raise
        sys.stderr.write(f"error: {message}\n")
        return EXIT_CODE if isinstance(error, Interrupted) else 1
    return 0
