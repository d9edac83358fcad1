"""A cell's folder: in which order its files come and go, so that a run may die, or its disk be full, between any two.

Whoever comes next must lose no record, keep none of another model, data or source, and end with what an undisturbed run
ends with. Every file comes whole or not at all (`durable`), the log alone grows, line by line, each with a checksum.

**Coming.**

1. The lock; whatever follows is changed by its holder alone.
2. `records.kept.parquet`, with what may be kept of what an earlier run has left; *then* the logs that it is made of go.
   An image is in one of both at any time, and one that is in both counts once. What was scored from files that have
   changed since is not taken along.
3. `files.json`, which says whose records these are: measurement, source, digests of the files. What is kept was scored
   from files that are alike in the old one and the new, so either is true of it; no log is opened before the new one.
4. `status.json` and `config.yaml`, which nothing depends on.
5. Of an image its prediction and its picture, *then* its records, then pictures that it displaces go: what has a record
   has all else.
6. What each process reports.
7. `records.parquet`, the pictures that stay, `summary.json`; the logs are untouched, and a run that dies here goes on
   from them.
8. `manifest.json`, with the digest of the records: the cell is complete, and what 2, 3 and 6 left goes, since nothing
   reads it any more (`discard`).

**Going** (`clear`: force=true, another model, another source). What must not survive goes first.

1. `manifest.json`, or what is left would pass for complete.
2. All records.
3. Pictures and predictions, which nothing reads for want of records, and which are written anew with them.
4. Last what says whose the records are: as long as one is there it can be told that it is not wanted, and the next run
   clears again.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from src.core.errors import RecordsError
from src.records import schema

STATUS_FILE = "status.json"

_UNFINISHED = ("records.kept.parquet", "records.rank*.jsonl", "rank*.json", "*.part")
_DESCRIBING = (
    schema.SUMMARY_FILE,
    schema.PROFILE_FILE,
    schema.TRACE_FILE,
    schema.CONFIG_FILE,
    schema.CONTENT_FILE,
    STATUS_FILE,
)


def rank_file(folder: Path, rank: int) -> Path:
    """Where process `rank` writes its records while the run goes."""
    return folder / f"records.rank{rank}.jsonl"


def kept_file(folder: Path) -> Path:
    """Where the records of an interrupted run wait for its continuation."""
    return folder / "records.kept.parquet"


def has_records(folder: Path) -> bool:
    """Whether an interrupted run has left records."""
    return kept_file(folder).exists() or any(folder.glob("records.rank*.jsonl"))


def clear(folder: Path, *, others: Sequence[str] = (schema.PANELS_FOLDER,)) -> None:
    """Remove everything an earlier run of this cell wrote into its folder, in the order above.

    Args:
        folder: of the cell.
        others: names of folders in it that go too.
    """
    (folder / schema.MANIFEST_FILE).unlink(missing_ok=True)
    _remove(folder, ("records.*", *_UNFINISHED))
    for name in others:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    _remove(folder, _DESCRIBING)


def discard(folder: Path) -> None:
    """Remove what a complete cell needs no more."""
    _remove(folder, (*_UNFINISHED, schema.CONTENT_FILE))


def _remove(folder: Path, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            path.unlink()


def refuse_misplaced(folder: Path) -> None:
    """Make sure that no folder stands where a run is going to write a file, and no file in the place of a folder.

    Raises:
        RecordsError: names what is in the way.
    """
    files = (schema.MANIFEST_FILE, schema.RECORDS_FILE, *_DESCRIBING, *_UNFINISHED)
    wrong = [(path, "file") for name in files for path in folder.glob(name) if path.is_dir()]
    folders = [folder / name for name in (schema.PANELS_FOLDER, schema.PREDICTIONS_FOLDER)]
    wrong += [(path, "folder") for path in folders if path.exists() and not path.is_dir()]
    if wrong:
        path, kind = wrong[0]
        msg = f"{path}: expected a {kind} that runs write, or nothing; remove what is there, or name another folder"
        raise RecordsError(msg)
