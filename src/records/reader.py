"""Read what a run has written."""

import dataclasses
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from src.core.errors import RecordsError
from src.core.secrets import redacted_values
from src.records import schema
from src.records.log_line import content_of_line
from src.records.schema import RunManifest, SampleRecord
from src.records.sealed import read_sealed
from src.records.table import Scored, read_table
from src.records.typed import build

log = logging.getLogger(__name__)

_ON_FROM_HERE = "run the same command again, which scores the images of damaged lines anew and keeps the others"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """A complete cell.

    Attributes:
        folder: where it lies.
        manifest: everything that is not per image.
        scores: protocol -> what its images scored, in columns.
    """

    folder: Path
    manifest: RunManifest
    scores: Mapping[str, Scored]


def find_cells(roots: Sequence[Path]) -> list[Path]:
    """Return the folders of all complete cells at or below the given folders, sorted and unique.

    Raises:
        RecordsError: if one of the folders does not exist.
    """
    for root in roots:
        if not root.is_dir():
            msg = f"{root}: expected a folder written by a run, found none; check the path or run an evaluation first"
            raise RecordsError(msg)
    return sorted({folder for root in roots for folder in walk(root) if is_complete(folder)})


def walk(root: Path) -> Iterator[Path]:
    """Yield folders at and below one; nothing is looked for inside a cell, which may hold thousands of files."""
    for place, folders, files in os.walk(root):
        yield Path(place)
        if schema.MANIFEST_FILE in files:
            folders.clear()


def is_complete(folder: Path) -> bool:
    """Whether the cell of this folder has been run to the end."""
    return (folder / schema.MANIFEST_FILE).is_file()


def read_cell(folder: Path) -> Cell:
    """Read a complete cell, and hold its records against what its manifest says of them.

    Raises:
        RecordsError: if a file is missing, is not what a run writes, or contradicts the other.
    """
    manifest = read_manifest(folder)
    scores = read_table(folder / schema.RECORDS_FILE, digest=manifest.records)
    cell = Cell(folder=folder, manifest=manifest, scores=scores)
    _check_counts(cell)
    return cell


def read_manifest(folder: Path) -> RunManifest:
    """Read the manifest of a complete cell.

    Raises:
        RecordsError: if it is missing, broken or of another layout version.
    """
    path = folder / schema.MANIFEST_FILE
    content = redacted_values(read_sealed(path))  # what another program wrote into it is shown to all
    current = RunManifest.__dataclass_fields__["schema"].default
    if content.get("schema") != current:
        msg = f"{path}: expected a manifest of layout {current}; run the cell again with force=true"
        raise RecordsError(msg)
    try:
        return build(RunManifest, content)
    except (ValueError, RecursionError) as error:
        msg = f"{path}: expected the fields of layout {current}, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error


def _check_counts(cell: Cell) -> None:
    """Make sure that the records are those that the manifest counts."""
    manifest, file = cell.manifest, cell.folder / schema.RECORDS_FILE
    found = Counter(
        (protocol, str(status)) for protocol, scored in cell.scores.items() for status in scored.status.tolist()
    )
    counts: dict[str, dict[str, int]] = {
        "ok": manifest.scored,
        "skipped": manifest.skipped,
        "failed": manifest.failed,
    }
    counted: Counter[tuple[str, str]] = Counter(
        {(protocol, status): counts[status].get(protocol, 0) for protocol in manifest.protocols for status in counts}
    )
    if found != counted or cell.scores.keys() != manifest.protocols.keys():
        msg = (
            f"{file}: expected the records that {schema.MANIFEST_FILE} counts, {_listed(counted)}, got "
            f"{_listed(found)}; run the cell again with force=true"
        )
        raise RecordsError(msg)
    for protocol, scored in cell.scores.items():
        if scored.errors.keys() != manifest.protocols[protocol].metrics.keys():
            msg = (
                f"{file}: expected the metrics {', '.join(manifest.protocols[protocol].metrics)} under {protocol}, "
                f"got {', '.join(scored.errors)}; run the cell again with force=true"
            )
            raise RecordsError(msg)


def _listed(counts: Counter[tuple[str, str]]) -> str:
    return (
        ", ".join(f"{n} {status} under {protocol}" for (protocol, status), n in sorted(counts.items()) if n) or "none"
    )


def read_records(path: Path) -> Iterator[SampleRecord]:
    """Read the log of a run, row by row.

    Raises:
        RecordsError: if it is missing, or a line is broken; the message names the line.
    """
    for number, line in enumerate(_lines(path), start=1):
        yield _record(line, path, number)


def read_intact_records(path: Path) -> Iterator[SampleRecord]:
    """Read what is whole in the log of a run that died; says how much is not.

    A dying process leaves its last line unfinished. A dying machine may leave any part of the file as zeros.

    Raises:
        RecordsError: if the file is missing.
    """
    broken = 0
    for number, line in enumerate(_lines(path), start=1):
        if not line.endswith(b"\n"):  # the one being written: expected
            continue
        try:
            yield _record(line, path, number)
        except RecordsError:
            broken += 1
    if broken:
        log.warning("%s: %d lines are damaged; their images are scored again", path, broken)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        msg = f"{path}: expected the log of a run, but {error}"
        raise RecordsError(msg) from error


def _record(line: bytes, path: Path, number: int) -> SampleRecord:
    try:
        return build(SampleRecord, content_of_line(line))
    except json.JSONDecodeError as error:
        msg = f"{path}, line {number}: expected JSON, but {error.msg}: it is damaged; {_ON_FROM_HERE}"
        raise RecordsError(msg) from error
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8 are a ValueError
        msg = f"{path}, line {number}: expected a record, but {error}; {_ON_FROM_HERE}"
        raise RecordsError(msg) from error
