"""Commands in processes of their own: started from nothing, or forked from one that has imported what they need.

Importing torch and what is built on it takes seconds. A forked process has its own memory, signals, exit code, folder,
environment and arguments, so all that comes after the start is tested by it; what depends on the start itself (what is
imported, variables that a library reads when it is imported, joblib's own processes) needs a process from nothing.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRELOADED = [
    "src.engine.terminal.job",
    "src.engine.prediction.predict",
    "src.data.serving.module",
    "src.data.own.folder",
    "src.model.families.baseline",
]


def shared_by(processes: int) -> list[str]:
    """Overrides that have so many processes share the images of a cell, all but the first forked from that one."""
    return ["trainer=ddp_spawn", "trainer.strategy=ddp_fork", "trainer.accelerator=cpu", f"trainer.devices={processes}"]


def warm() -> None:
    """Start the process that the others are forked from, if there is none yet; it computes nothing."""
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "PYTHONPATH")}
    os.environ.update(OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    try:
        multiprocessing.set_forkserver_preload(PRELOADED)
        multiprocessing.forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class Forked:
    """`python -m <module> <words>` in a process that is forked, with the parts of `subprocess.Popen` that tests use.

    Args:
        module: that is run as `__main__`.
        words: of its command line.
        folder: that it runs in.
        environment: all of its variables.
        notes: folder for what it writes to standard output and error.
        session: whether it leads a session, and so a process group, of its own.
    """

    def __init__(
        self, module: str, *words: str, folder: Path, environment: Mapping[str, str], notes: Path, session: bool = False
    ) -> None:
        self.words = [sys.executable, "-m", module, *words]
        self._notes = tuple(notes / name for name in ("stdout", "stderr"))
        arguments = (module, words, folder, dict(environment), self._notes, session)
        self._process = multiprocessing.get_context("forkserver").Process(target=_run, args=arguments)
        self._process.start()

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.join()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def stderr(self) -> str:
        return self._notes[1].read_text()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.words, seconds, stderr=self.stderr)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def finish(self, seconds: float) -> subprocess.CompletedProcess[str]:
        code = self.wait(seconds)
        return subprocess.CompletedProcess(self.words, code, *(path.read_text() for path in self._notes))


def _run(
    module: str,
    words: tuple[str, ...],
    folder: Path,
    environment: dict[str, str],
    notes: tuple[Path, ...],
    session: bool,
) -> None:
    if session:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate(notes, start=1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    # a process that a server forked would have a server fork its own, data workers for one
    multiprocessing.set_start_method(None, force=True)  # type: ignore[arg-type]
    sys.path[:] = [str(folder), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # as at the end of any process, where multiprocessing leaves them out: coverage has one
