"""Write records: one file per process while the run goes, one file per cell when it is complete."""

import contextlib
import dataclasses
import functools
import json
import logging
import math
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Shaped

from src.core.errors import RecordsError
from src.core.secrets import redacted, redacted_values
from src.records import schema
from src.records.durable import replaced
from src.records.reader import read_intact_records, read_records
from src.records.schema import RunManifest, SampleRecord
from src.records.table import Scored, from_records, join, read_table, write_table

log = logging.getLogger(__name__)


def finite(value: float) -> float | None:
    """Return the value, or None where it is NaN or infinite: JSON has no word for those."""
    return value if math.isfinite(value) else None


def dump(content: Any) -> str:
    """Encode plain values as one line of JSON; refuses NaN and infinity."""
    return json.dumps(content, allow_nan=False, ensure_ascii=False)


def write_json(path: Path, content: Any) -> None:
    """Write plain values as indented JSON, whole or not at all, and without keys and passwords."""
    text = json.dumps(redacted_values(content), allow_nan=False, ensure_ascii=False, indent=1) + "\n"
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


def rank_file(folder: Path, rank: int) -> Path:
    """Where process `rank` writes its records while the run goes."""
    return folder / f"records.rank{rank}.jsonl"


class RecordWriter:
    """Appends records to the log of one process; use as a context manager.

    Every batch is handed to the operating system at once, so it survives the death of the process. It is put on disk,
    where it survives the death of the machine too, when the last time is long enough ago, and at the end.

    Args:
        folder: of the cell.
        rank: of this process.
        seconds: after which a batch is put on disk together with those before it; 0 for every batch.
    """

    def __init__(self, folder: Path, rank: int, *, seconds: float = 0.0) -> None:
        # unbuffered: after an error nothing is left that closing would try to write again
        self._file = rank_file(folder, rank).open("ab", buffering=0)
        self._seconds = seconds
        self._synced = time.monotonic()

    def write(self, records: Iterable[SampleRecord]) -> None:
        """Append records.

        Raises:
            OSError: if the disk is full or gone; what was written before is kept.
        """
        data = memoryview("".join(dump(_row(record)) + "\n" for record in records).encode())
        while data:  # an unbuffered file may take a part
            data = data[self._file.write(data) :]
        if time.monotonic() - self._synced >= self._seconds:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Put what was written on disk and close the file."""
        if not self._file.closed:
            with self._file, contextlib.suppress(OSError):
                os.fsync(self._file.fileno())

    def __enter__(self) -> "RecordWriter":
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self.close()


def _row(record: SampleRecord) -> dict[str, Any]:
    # dataclasses.asdict copies every value, which takes longer than encoding them
    row = {name: getattr(record, name) for name in SampleRecord.__slots__}
    return {**row, "reason": redacted(record.reason)} if record.reason else row  # the words of any library


def kept_file(folder: Path) -> Path:
    """Where the records of an interrupted run wait for its continuation."""
    return folder / "records.kept.parquet"


def recover(
    folder: Path,
    expected: Sequence[str],
    protocols: Mapping[str, int],
    is_usable: Callable[[str], bool] | None = None,
) -> dict[str, Scored]:
    """Gather what an interrupted run of this cell has left, so that only the missing images need to be scored.

    Kept are the images with a record under each protocol, under the names and protocol versions of now. Lines that a
    dying process left unfinished, or that a dying machine left as zeros, are dropped.

    Args:
        folder: of the cell.
        expected: the sample ids, in order of their index.
        protocols: version of each protocol to be scored.
        is_usable: tells of a sample id whether what else the run keeps of the image is there; else it is scored again.
            None where it keeps nothing else.

    Returns:
        The kept records, also in `kept_file`; {} if there are none.
    """
    logs = sorted(folder.glob("records.rank*.jsonl"))
    rows = (record for path in logs for record in read_intact_records(path))
    fitting = (record for record in rows if protocols.get(record.protocol) == record.protocol_version)
    parts = [
        {protocol: scores[protocol] for protocol in protocols}
        for scores in (_read_kept_if_intact(folder), from_records(fitting))
        if protocols.items() <= {name: scored.protocol_version for name, scored in scores.items()}.items()
    ]
    joined = {protocol: join([part[protocol] for part in parts]) for protocol in protocols} if parts else {}
    kept = _whole(joined, np.array(expected), is_usable)
    if kept:
        write_table(kept_file(folder), kept)
    else:
        kept_file(folder).unlink(missing_ok=True)
    for path in logs:
        path.unlink()
    return kept


def _read_kept_if_intact(folder: Path) -> dict[str, Scored]:
    try:
        return read_kept(folder)
    except RecordsError as error:
        log.warning("%s; its images are scored again", error)
        return {}


def _whole(
    scores: Mapping[str, Scored], names: Shaped[np.ndarray, " n"], is_usable: Callable[[str], bool] | None
) -> dict[str, Scored]:
    """Return the images, named as expected, that every protocol has scored; of several records the last.

    Images that could not be read are left out, so that they are tried again.
    """
    usable = {}
    for protocol, scored in scores.items():
        inside = scored.index < len(names)
        named = inside & (names[np.where(inside, scored.index, 0)] == scored.sample_id)
        own = scored.select(named & ~scored.unreadable)
        usable[protocol] = own.select(np.diff(own.index, append=-1) != 0)
    whole = functools.reduce(np.intersect1d, (scored.index for scored in usable.values()), np.arange(len(names)))
    if is_usable is not None:
        whole = np.array([index for index in whole if is_usable(str(names[index]))], dtype=np.int64)
    if not len(whole):
        return {}
    return {protocol: scored.select(np.isin(scored.index, whole)) for protocol, scored in usable.items()}


def read_kept(folder: Path) -> dict[str, Scored]:
    """Read what `recover` has kept; {} if that is nothing."""
    return read_table(kept_file(folder)) if kept_file(folder).is_file() else {}


def clear(folder: Path, *, others: Sequence[str] = (schema.PANELS_FOLDER,)) -> None:
    """Remove everything an earlier run of this cell wrote into its folder.

    What must not survive goes first: the manifest, which says that the cell is complete, then the records, and last
    what says of which files and of which model they are. Killed in between, the next run finds that and clears again.

    Args:
        folder: of the cell.
        others: names of folders in it that go too.
    """
    (folder / schema.MANIFEST_FILE).unlink(missing_ok=True)
    _remove(folder, ("records.*", "*.part"))
    for name in others:
        shutil.rmtree(folder / name, ignore_errors=True)
    files = (schema.SUMMARY_FILE, schema.FITS_FILE, schema.PROFILE_FILE, schema.TRACE_FILE)
    _remove(folder, (*files, schema.CONFIG_FILE, schema.CONTENT_FILE, "status.json"))


def _remove(folder: Path, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            path.unlink()


def merge(folder: Path, world_size: int, expected: Sequence[str], protocols: Sequence[str]) -> dict[str, Scored]:
    """Join the files of all processes, and what was kept of an interrupted run, after checking that nothing is missing.

    Args:
        folder: of the cell.
        world_size: number of processes.
        expected: the sample ids, in order of their index.
        protocols: the scored protocols, in order.

    Returns:
        Protocol -> its columns, one row per image, as in the one file that is left.

    Raises:
        RecordsError: unless every expected image has exactly one record under each protocol.
    """
    logs = [rank_file(folder, rank) for rank in range(world_size)]
    written = from_records(record for path in logs for record in read_records(path))
    sources = [read_kept(folder), written]
    parts = {protocol: [scores[protocol] for scores in sources if protocol in scores] for protocol in protocols}
    scores = {protocol: join(found) for protocol, found in parts.items() if found}
    names = np.array(expected)
    if scores.keys() != set(protocols) or not all(_is_exactly(scored, names) for scored in scores.values()):
        raise RecordsError(_mismatch(folder, scores, expected, protocols))
    write_table(folder / schema.RECORDS_FILE, scores)
    return scores


def discard_logs(folder: Path) -> None:
    """Remove what `merge` has joined; after the manifest, since without one the logs are all that is gone on from."""
    _remove(folder, (kept_file(folder).name, "records.rank*.jsonl"))


def _is_exactly(scored: Scored, names: Shaped[np.ndarray, " n"]) -> bool:
    return np.array_equal(scored.index, np.arange(len(names))) and np.array_equal(scored.sample_id, names)


def _mismatch(folder: Path, scores: Mapping[str, Scored], expected: Sequence[str], protocols: Sequence[str]) -> str:
    found = Counter(
        (index, str(name), protocol)
        for protocol, scored in scores.items()
        for index, name in zip(scored.index.tolist(), scored.sample_id, strict=True)
    )
    wanted = Counter((i, name, protocol) for i, name in enumerate(expected) for protocol in protocols)
    missing, surplus = wanted - found, found - wanted
    return (
        f"{folder}: expected each of {len(expected)} images exactly once under each of {len(protocols)} protocols; "
        f"missing {missing.total()} (first: {next(iter(missing), None)}), "
        f"too many {surplus.total()} (first: {next(iter(surplus), None)}); run the cell again with force=true"
    )


def write_manifest(folder: Path, manifest: RunManifest) -> None:
    """Write the manifest, the last file of a cell: from then on the cell is complete.

    Raises:
        RecordsError: if its counts do not add up, which no fault of a run can cause.
    """
    for protocol in manifest.protocols:
        counts = {name: getattr(manifest, name).get(protocol, 0) for name in ("scored", "skipped", "failed")}
        if sum(counts.values()) != manifest.expected or manifest.unreadable > counts["skipped"]:
            listed = ", ".join(f"{count} {name}" for name, count in counts.items())
            msg = (
                f"{folder}: expected {manifest.expected} images to be scored, skipped or failed under {protocol}, got "
                f"{listed} ({manifest.unreadable} unreadable); this is a defect of the software, please report it"
            )
            raise RecordsError(msg)
    write_json(folder / schema.MANIFEST_FILE, dataclasses.asdict(manifest))
