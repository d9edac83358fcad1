"""The real command line in another process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.launching import ROOT, Forked, warm

_OF_A_GROUP = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that a run of several processes in this one leaves behind, and that would have another wait for them."""


@pytest.fixture
def environment() -> Callable[..., dict[str, str]]:
    """Return a function that makes the variables of a process: those of this one, and more."""

    def environment(**more: str) -> dict[str, str]:
        # a checkout that is not installed is found too
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
        own = {name: value for name, value in os.environ.items() if name not in _OF_A_GROUP}
        return {**own, "OMP_NUM_THREADS": "1", "COLUMNS": "160", "PYTHONPATH": path, **more}

    return environment


@pytest.fixture
def start(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, environment: Callable[..., dict[str, str]]):
    """Return a function that starts `python -m <module> <words>`, forked, and returns while it runs."""
    started: list[Forked] = []

    def start(*words: str, module: str = "src.eval", session: bool = False, **more: str) -> Forked:
        warm()
        notes = tmp_path_factory.mktemp("process")
        process = Forked(module, *words, folder=tmp_path, environment=environment(**more), notes=notes, session=session)
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def command(
    tmp_path: Path, start: Callable[..., Forked], environment: Callable[..., dict[str, str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `python -m <module> <words>` in a fresh folder and returns the finished process.

    It is forked (see launching), or with `fresh=True` started from nothing.
    """

    def command(
        *words: str, module: str = "src.eval", fresh: bool = False, **more: str
    ) -> subprocess.CompletedProcess[str]:
        if not fresh:
            return start(*words, module=module, **more).finish(300)
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=tmp_path,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return command
