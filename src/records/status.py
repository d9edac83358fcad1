"""How far the cells below a folder are, from the files that runs keep there; imports nothing heavy."""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from src.core.errors import RecordsError
from src.records import schema
from src.records.folder import STATUS_FILE, kept_file
from src.records.reader import is_complete, read_manifest, walk
from src.records.sealed import read_sealed, write_sealed

_SAID = ("pending", "failed", "interrupted", "done")
_MANY = 2**53

State = Literal["pending", "running", "done", "failed", "interrupted", "killed", "damaged"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one cell is.

    Attributes:
        folder: of the cell.
        state: pending, before a sweep has come to it; running; done; failed, for a reason; interrupted, as it was
            asked to; killed, without having said why; damaged, where a file that says so cannot be read.
        reason: of a failure or damage, for people; else "".
        command: what the cell sets on the command line, quoted for a shell.
        expected: images of the run; 0 where it has not come so far as to count them.
        scored: images that are on disk.
        speed: images per second since the run started or went on; 0 where nothing is known.
    """

    folder: Path
    state: State
    reason: str
    command: str
    expected: int
    scored: int
    speed: float

    @property
    def seconds_left(self) -> float | None:
        """Time until the cell is done at this speed; None where nobody knows."""
        return (self.expected - self.scored) / self.speed if self.state == "running" and self.speed else None


def note(folder: Path, *, state: State, **changes: Any) -> None:
    """Write how a cell stands, keeping what was noted before and is not changed."""
    write_sealed(folder / STATUS_FILE, {**noted(folder), "reason": "", "state": state, **changes})


def progress(roots: Sequence[Path], *, is_held: Any) -> Iterator[Progress]:
    """Look at every cell at or below the given folders.

    Args:
        roots: folders.
        is_held: takes the folder of a cell and tells whether a process is running it.
    """
    seen = set()
    for root in roots:
        for folder in walk(root):
            if folder not in seen and any((folder / name).is_file() for name in (STATUS_FILE, schema.MANIFEST_FILE)):
                seen.add(folder)
                yield _look(folder, running=is_held(folder))


def _look(folder: Path, *, running: bool) -> Progress:
    try:
        said = _read(folder)
        if is_complete(folder) and not running:
            manifest = read_manifest(folder)
            images, speed = manifest.expected, manifest.images_per_second
            return _progress(folder, said, "done", expected=images, scored=images, speed=speed)
        return _unfinished(folder, said, running=running)
    except (RecordsError, OSError) as error:
        said = {**noted(folder), "reason": str(error)}
        return _progress(folder, said, "damaged", expected=_count(said, "expected"), scored=0, speed=0.0)


def _unfinished(folder: Path, said: dict[str, Any], *, running: bool) -> Progress:
    """Look at a cell that is not done.

    Raises:
        RecordsError: if what an earlier run has kept is damaged.
        OSError: if a file cannot be read.
    """
    kept = _rows(kept_file(folder)) if kept_file(folder).exists() else 0
    logs = list(folder.glob("records.rank*.jsonl"))
    fresh = sum(_lines(path) for path in logs) // max(_count(said, "protocols"), 1)
    passed = max((path.stat().st_mtime for path in logs), default=0.0) - _started(said)
    ended = said.get("state")
    state: State = "running" if running else ended if ended in _SAID else "killed"
    return _progress(
        folder,
        said,
        state,
        expected=_count(said, "expected"),
        scored=kept + fresh,
        speed=max(fresh / passed, 0.0) if passed > 0 else 0.0,
    )


def _rows(table: Path) -> int:
    try:
        return int(pq.read_metadata(table).num_rows)
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"{table}: expected records written by a run, but {error}; the same command scores its images again"
        raise RecordsError(msg) from error


def _count(said: dict[str, Any], name: str) -> int:
    found = said.get(name)
    return found if type(found) is int and 0 <= found < _MANY else 0


def _started(said: dict[str, Any]) -> float:
    found = said.get("started")
    return float(found) if isinstance(found, float) and math.isfinite(found) else time.time()


def _progress(
    folder: Path, said: dict[str, Any], state: State, *, expected: int, scored: int, speed: float
) -> Progress:
    command = said.get("command")
    return Progress(
        folder=folder,
        state=state,
        reason=str(said.get("reason", "")) if state in ("failed", "damaged") else "",
        command=command if isinstance(command, str) else "",
        expected=expected,
        scored=scored,
        speed=speed,
    )


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STATUS_FILE
    if not path.exists():
        return {}
    return read_sealed(path, remedy="the same command writes it anew")


def noted(folder: Path) -> dict[str, Any]:
    """Return what was noted last about a cell; {} if nothing was, or it cannot be read any more."""
    try:
        return _read(folder)
    except RecordsError:
        return {}


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
