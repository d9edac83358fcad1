"""How far the cells below a folder are, from the files that runs keep there; imports nothing heavy."""

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from src.records import schema
from src.records.reader import walk
from src.records.writer import kept_file, write_json

STATUS_FILE = "status.json"

State = Literal["pending", "running", "done", "failed", "interrupted", "killed"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one cell is.

    Attributes:
        folder: of the cell.
        state: pending, before a sweep has come to it; running; done; failed, for a reason; interrupted, as it was
            asked to; killed, without having said why.
        reason: of a failure, for people; else "".
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
    write_json(folder / STATUS_FILE, {**noted(folder), "reason": "", "state": state, **changes})


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
    said = noted(folder)
    done = (folder / schema.MANIFEST_FILE).is_file()
    if done and not running:
        manifest = json.loads((folder / schema.MANIFEST_FILE).read_text(encoding="utf-8"))
        images, speed = int(manifest["expected"]), float(manifest["images_per_second"])
        return _progress(folder, said, "done", expected=images, scored=images, speed=speed)
    kept = pq.read_metadata(kept_file(folder)).num_rows if kept_file(folder).is_file() else 0
    logs = list(folder.glob("records.rank*.jsonl"))
    fresh = sum(_lines(path) for path in logs) // max(int(said.get("protocols", 1)), 1)
    passed = max((path.stat().st_mtime for path in logs), default=0.0) - float(said.get("started", time.time()))
    ended = said.get("state", "running")
    state: State = "running" if running else "killed" if ended == "running" else ended
    expected = int(said.get("expected", 0))
    return _progress(
        folder,
        said,
        state,
        expected=expected,
        scored=kept + fresh,
        speed=max(fresh / passed, 0.0) if passed > 0 else 0.0,
    )


def _progress(
    folder: Path, said: dict[str, Any], state: State, *, expected: int, scored: int, speed: float
) -> Progress:
    return Progress(
        folder=folder,
        state=state,
        reason=str(said.get("reason", "")) if state == "failed" else "",
        command=str(said.get("command", "")),
        expected=expected,
        scored=scored,
        speed=speed,
    )


def noted(folder: Path) -> dict[str, Any]:
    """Return what was noted last about a cell; {} if nothing was."""
    try:
        content = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
