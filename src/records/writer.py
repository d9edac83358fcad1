"""Write records: one file per process while the run goes, one file per cell when it is complete."""

import dataclasses
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from src.core.errors import RecordsError
from src.records import schema
from src.records.reader import read_records
from src.records.schema import RunManifest, SampleRecord


def finite(value: float) -> float | None:
    """Return the value, or None where it is NaN or infinite: JSON has no word for those."""
    return value if math.isfinite(value) else None


def dump(content: Any) -> str:
    """Encode plain values as one line of JSON; refuses NaN and infinity."""
    return json.dumps(content, allow_nan=False, ensure_ascii=False)


def write_json(path: Path, content: Any) -> None:
    """Write plain values as indented JSON, whole or not at all."""
    _replace(path, json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def rank_file(folder: Path, rank: int) -> Path:
    """Where process `rank` writes its records while the run goes."""
    return folder / f"records.rank{rank}.jsonl"


class RecordWriter:
    """Appends records to the file of one process; use as a context manager.

    What was written survives the death of the process: every batch is handed to the operating system. It survives the
    death of the machine only as far as the system has put it on disk by itself.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._file = rank_file(folder, rank).open("a", encoding="utf-8")

    def write(self, records: Iterable[SampleRecord]) -> None:
        """Append records and hand them to the operating system."""
        self._file.writelines(dump(dataclasses.asdict(record)) + "\n" for record in records)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "RecordWriter":
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self.close()


def kept_file(folder: Path) -> Path:
    """Where the records of an interrupted run wait for its continuation."""
    return folder / "records.kept.jsonl"


def recover(folder: Path, expected: Sequence[str], protocols: Mapping[str, int]) -> tuple[SampleRecord, ...]:
    """Gather what an interrupted run of this cell has left, so that only the missing images need to be scored.

    Kept are the images with exactly one record under each protocol, under the names and protocol versions of now. A
    line that a dying process left unfinished is dropped.

    Args:
        folder: of the cell.
        expected: the sample ids, in order of their index.
        protocols: version of each protocol to be scored.

    Returns:
        The kept records; also in `kept_file`.

    Raises:
        RecordsError: if a file is damaged in any other way.
    """
    files = [kept_file(folder), *sorted(folder.glob("records.rank*.jsonl"))]
    by_image: dict[int, dict[str, SampleRecord]] = {}
    for record in (record for file in files if file.is_file() for record in read_records(file, unfinished=True)):
        named_alike = record.index < len(expected) and expected[record.index] == record.sample_id
        if named_alike and protocols.get(record.protocol) == record.protocol_version:
            by_image.setdefault(record.index, {})[record.protocol] = record
    whole = [records for _, records in sorted(by_image.items()) if records.keys() == protocols.keys()]
    kept = tuple(records[protocol] for records in whole for protocol in protocols)
    _replace(kept_file(folder), "".join(dump(dataclasses.asdict(record)) + "\n" for record in kept))
    for file in files[1:]:
        file.unlink()
    return kept


def read_kept(folder: Path) -> tuple[SampleRecord, ...]:
    """Read what `recover` has kept."""
    return tuple(read_records(kept_file(folder)))


def clear(folder: Path) -> None:
    """Remove everything an earlier run of this cell wrote into its folder, the manifest first."""
    (folder / schema.MANIFEST_FILE).unlink(missing_ok=True)
    for pattern in (schema.RECORDS_FILE, schema.SUMMARY_FILE, schema.CONFIG_FILE, "records.*.jsonl", "*.part"):
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / schema.PANELS_FOLDER, ignore_errors=True)


def merge(folder: Path, world_size: int, expected: Sequence[str], protocols: Sequence[str]) -> tuple[SampleRecord, ...]:
    """Join the files of all processes, and what was kept of an interrupted run, after checking that nothing is missing.

    Args:
        folder: of the cell.
        world_size: number of processes.
        expected: the sample ids, in order of their index.
        protocols: the scored protocols, in order.

    Returns:
        All records, ordered by image and protocol, as in the one file that is left.

    Raises:
        RecordsError: unless every expected image has exactly one record under each protocol.
    """
    kept = [kept_file(folder)] if kept_file(folder).is_file() else []
    files = kept + [rank_file(folder, rank) for rank in range(world_size)]
    records = [record for file in files for record in read_records(file)]
    found = Counter((record.index, record.sample_id, record.protocol) for record in records)
    wanted = Counter((i, name, protocol) for i, name in enumerate(expected) for protocol in protocols)
    if found != wanted:
        missing, surplus = wanted - found, found - wanted
        msg = (
            f"{folder}: expected each of {len(expected)} images exactly once under each of {len(protocols)} protocols; "
            f"missing {missing.total()} (first: {next(iter(missing), None)}), "
            f"too many {surplus.total()} (first: {next(iter(surplus), None)}); run the cell again with force=true"
        )
        raise RecordsError(msg)
    order = {protocol: position for position, protocol in enumerate(protocols)}
    records.sort(key=lambda record: (record.index, order[record.protocol]))
    lines = "".join(dump(dataclasses.asdict(record)) + "\n" for record in records)
    _replace(folder / schema.RECORDS_FILE, lines)
    for file in files:
        file.unlink()
    return tuple(records)


def write_manifest(folder: Path, manifest: RunManifest) -> None:
    """Write the manifest, the last file of a cell: from then on the cell is complete."""
    write_json(folder / schema.MANIFEST_FILE, dataclasses.asdict(manifest))
