"""One writer per cell, on file systems that several machines share."""

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from src.core.errors import RecordsError

LOCK_FILE = "running.json"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How owners of locks show that they are alive, in seconds.

    Attributes:
        beat: time between two signs of life.
        silence: time without one after which an owner counts as dead; many beats, since network file systems show
            changes of other machines late.
    """

    beat: float = 5.0
    silence: float = 90.0


PACE = Pace()


class Held:
    """A lock that this process holds, and shows to be alive in a thread of its own."""

    def __init__(self, path: Path, nonce: str, pace: Pace) -> None:
        self._path, self._nonce, self._pace = path, nonce, pace
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that the lock is still this process's own.

        Raises:
            RecordsError: if another process has taken it, because this one was stopped for too long.
        """
        if _owner(self._path).get("nonce") != self._nonce:
            msg = (
                f"{self._path.parent}: another process took this cell over while this one showed no sign of life "
                f"(suspended, or cut off from the disk); leave the cell to it"
            )
            raise RecordsError(msg)

    def release(self) -> None:
        """Give the lock back."""
        self._done.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # a folder that has become read-only keeps its lock; it goes silent
            if _owner(self._path).get("nonce") == self._nonce:
                self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._done.wait(self._pace.beat):
            with contextlib.suppress(OSError):
                if _owner(self._path).get("nonce") == self._nonce:
                    os.utime(self._path)


@contextlib.contextmanager
def sole_writer(folder: Path, *, wait: float = 0.0, pace: Pace = PACE) -> Iterator[Held]:
    """Hold a cell's folder for this process.

    The lock is a file that only one process can create, also on network file systems, and whose time its owner renews.
    If its owner is dead the lock is taken over: at once if that was a process of this machine, else when the lock has
    not been renewed for long enough by the clock of the one who watches; clocks of two machines are never compared.

    Args:
        folder: of the cell.
        wait: seconds to wait for an owner that is alive.
        pace: of signs of life.

    Raises:
        RecordsError: if another process holds it; says which.
    """
    path = folder / LOCK_FILE
    nonce = uuid.uuid4().hex
    deadline = time.monotonic() + wait
    while not _create(path, nonce):
        _outwait(path, deadline, pace)
    held = Held(path, nonce, pace)
    try:
        yield held
    finally:
        held.release()


def is_held(folder: Path) -> bool:
    """Whether a process is running a cell, without waiting to see: one elsewhere counts if its lock is fresh.

    The age of a lock is told by this machine's clock, so this is for showing and never for taking over.
    """
    path = folder / LOCK_FILE
    owner = _owner(path)
    if _is_here(owner):
        return _is_alive(owner)
    try:
        return time.time() - path.stat().st_mtime < PACE.silence
    except FileNotFoundError:
        return False


def _create(path: Path, nonce: str) -> bool:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    process = os.getpid()
    owner = {
        "machine": socket.gethostname(),
        "boot": _boot(),
        "process": process,
        "born": _born(process),
        "since": now,
        "nonce": nonce,
    }
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(owner, file)
    return True


def _outwait(path: Path, deadline: float, pace: Pace) -> None:
    """Return when the lock is free or its dead owner's was removed."""
    seen, since = _sign(path), time.monotonic()
    log.info("%s is held by %s; watching whether it is alive.", path.parent, _words(_owner(path)))
    alive = False
    while seen is not None:
        owner = _owner(path)
        if _is_here(owner):
            if not _is_alive(owner):
                _remove(path, owner)
                return
            alive = True
        if alive and time.monotonic() >= deadline:
            msg = (
                f"{path.parent} is being written by {_words(owner)}; wait for it to end, let this process wait with "
                f"wait=<seconds>, or stop the other one"
            )
            raise RecordsError(msg)
        time.sleep(min(pace.beat / 5, 1.0))
        sign = _sign(path)
        if sign != seen:
            alive, seen, since = True, sign, time.monotonic()
        elif time.monotonic() - since >= pace.silence:
            log.warning("%s: %s has shown no sign of life; taking over.", path.parent, _words(owner))
            _remove(path, owner)
            return


def _sign(path: Path) -> tuple[int, int] | None:
    """Return what changes with every sign of life; None if the lock is free."""
    try:
        # opening makes network file systems ask their server
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _remove(path: Path, owner: dict[str, object]) -> None:
    """Remove the lock of a dead owner; of several processes that try, one succeeds."""
    claimed = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        path.rename(claimed)
        if _owner(claimed).get("nonce") != owner.get("nonce"):
            # that was already the lock of the next owner: give it back
            with contextlib.suppress(FileExistsError):
                os.link(claimed, path)
        claimed.unlink()


def _owner(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # given back, or its owner is just writing it or died doing so
        return {}
    return content if isinstance(content, dict) else {}


def _words(owner: dict[str, object]) -> str:
    return f"process {owner.get('process', '?')} on {owner.get('machine', '?')} since {owner.get('since', '?')}"


def _is_here(owner: dict[str, object]) -> bool:
    """Whether this process can tell if the owner is alive: the same machine, boot and set of process numbers."""
    return owner.get("machine") == socket.gethostname() and owner.get("boot") == _boot()


def _is_alive(owner: dict[str, object]) -> bool:
    process = owner.get("process")
    try:
        os.kill(int(str(process)), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # somebody else's
        return True
    return _born(int(str(process))) == owner.get("born")  # else the number was given to another process


def _boot() -> str:
    """Tell apart machines of one name, restarts of a machine and containers on it, where the system says."""
    parts = []
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _born(process: int) -> str:
    """When a process started, in ticks of its machine; "" if it is dead, or where the system does not say."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]
