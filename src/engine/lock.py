"""One writer per cell, on file systems that several machines share."""

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from src.core.errors import RecordsError

LOCK_FILE = "running.json"


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a cell's folder for this process.

    The lock is a file that only one process can create, also on network file systems. If its owner died on this
    machine, it is taken over; of an owner on another machine nobody here can tell.

    Args:
        folder: of the cell.

    Raises:
        RecordsError: if another process holds it; says which, and what to do if that one is dead.
    """
    path = folder / LOCK_FILE
    _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    owner = {"machine": socket.gethostname(), "process": os.getpid(), "since": now}
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            _remove_if_dead(path)
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(owner, file)
        return


def _remove_if_dead(path: Path) -> None:
    """Remove the lock of a process of this machine that is no more; of several that try, one succeeds."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # given back a moment ago
        return
    except ValueError:
        owner = {}  # its owner is just writing it, or died doing so
    if owner.get("machine") == socket.gethostname() and not _is_alive(owner["process"]):
        claimed = path.with_name(f"{path.name}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            path.rename(claimed)
            claimed.unlink()
        return
    msg = (
        f"{path.parent} is being written by process {owner.get('process', '?')} on {owner.get('machine', '?')} since "
        f"{owner.get('since', '?')}; wait for it to end, or remove {path} if it is dead"
    )
    raise RecordsError(msg)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
