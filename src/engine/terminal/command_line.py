"""What surrounds hydra on the command line: help, errors, sweeps, exit codes. Imports nothing heavy."""

import os
import sys
import traceback
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from src.core.shown import shown
from src.core.terminal import terminal
from src.engine.cell.words import LEDGER
from src.engine.process.family import on_signals
from src.engine.process.interrupt import EXIT_CODE, Interrupted
from src.engine.terminal import sweep
from src.engine.terminal.arguments import MULTIRUN, check, in_order
from src.engine.terminal.completion import BASH, installs_bash
from src.engine.terminal.explain import explain
from src.engine.terminal.order import arrange
from src.engine.terminal.overview import overview
from src.engine.terminal.secrets import Refused, refuse_secret_words


def execute(
    task: Callable[[], None], *, conf: Path, config: str, arguments: list[str], failures: Sequence[Exception]
) -> int:
    """Run a hydra task and return the exit code: 0, 1 if it or a cell of its sweep failed, 75 if it was interrupted.

    Args:
        task: the function decorated by `hydra.main`; reads `sys.argv`.
        conf: folder of the configuration.
        config: name of the primary configuration.
        arguments: `sys.argv`, which is put in order, and which a sweep extends by its ledger.
        failures: what the task ended by, if it did; it does not raise, since hydra would put words of its own before.
    """
    arguments[1:] = in_order(arguments[1:])
    options = set(arguments[1:])
    if options & {"-h", "--help"}:
        print(overview(conf, config))  # noqa: T201  # what --help is for
        return 0
    if installs_bash(arguments[1:]):
        print(BASH, end="")  # noqa: T201  # for bash to evaluate
        return 0
    # hydra re-raises errors instead of printing them in its own words
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")

    code = _guard(lambda: refuse_secret_words(arguments[1:]), conf)  # before anything is printed or written
    if code:
        return code

    def run() -> None:
        check(arguments[1:], conf, f"python -m src.{config}")
        task()
        for failure in failures:
            raise failure

    if not options & MULTIRUN:
        return _guard(run, conf)
    return _sweep(run, conf, arguments)


def _sweep(run: Callable[[], None], conf: Path, arguments: list[str]) -> int:
    folder = _output_folder(arguments) / ".sweeps"
    ledger = folder / f"{uuid.uuid4().hex}.jsonl"
    stop_file, outcomes = sweep.stop_file(ledger), list[sweep.CellOutcome]()

    def start() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        run()

    def stop() -> None:
        """Tell the cells that run beside this process, which waits for them."""
        if folder.is_dir():
            stop_file.touch()

    _prepare(arguments, ledger)
    give_back = on_signals(stop) if "hydra/launcher=joblib" in arguments else None
    try:
        code = _guard(start, conf)
        code = EXIT_CODE if stop_file.exists() else code
    finally:
        if give_back is not None:
            give_back()
        outcomes = sweep.read(ledger)
        if outcomes:
            sweep.print_outcomes(outcomes, terminal())
        ledger.unlink(missing_ok=True)
        stop_file.unlink(missing_ok=True)
        for slot in folder.glob(f"{ledger.stem}.slot*"):  # see device_slot
            slot.unlink(missing_ok=True)
    return max(code, int(any(outcome.status == "failed" for outcome in outcomes)))


def _output_folder(arguments: Sequence[str]) -> Path:
    """Where results go, which all machines of a cluster share; as typed, or below the working folder."""
    typed = [word.partition("=")[2].strip("'\"") for word in arguments if word.startswith("paths.output_dir=")]
    return (Path.cwd() / typed[-1] if typed and "$" not in typed[-1] else Path.cwd() / "outputs").absolute()


def _prepare(arguments: list[str], ledger: Path) -> None:
    """Arrange the overrides of a sweep and add that of its ledger beside them, since they may not stand apart."""
    places = [place for place, word in enumerate(arguments) if place and "=" in word and not word.startswith("-")]
    for place, word in zip(places, arrange([arguments[place] for place in places]), strict=True):
        arguments[place] = word
    arguments.insert(places[0] if places else len(arguments), f"{LEDGER}'{ledger}'")


def _guard(task: Callable[[], None], conf: Path) -> int:
    try:
        task()
    except (Exception, Refused) as raised:
        error = raised.args[0] if isinstance(raised, Refused) else raised
        message = explain(error, conf)
        if message is None:
            sys.stderr.write(shown("".join(traceback.format_exception(error)), lines=True))
            return 1
        sys.stderr.write(f"error: {shown(message, lines=True)}\n")
        return EXIT_CODE if isinstance(error, Interrupted) else 1
    return 0
