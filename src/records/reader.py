"""Read what a run has written."""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from src.core.errors import RecordsError
from src.core.secrets import redacted_values
from src.records import schema
from src.records.schema import MetricInfo, ProtocolInfo, RunManifest, SampleRecord
from src.records.table import Scored, read_table

log = logging.getLogger(__name__)


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
    """Read a complete cell.

    Raises:
        RecordsError: if a file is missing or is not what a run writes.
    """
    return Cell(folder=folder, manifest=read_manifest(folder), scores=read_table(folder / schema.RECORDS_FILE))


def read_manifest(folder: Path) -> RunManifest:
    """Read the manifest of a complete cell.

    Raises:
        RecordsError: if it is missing, broken or of another layout version.
    """
    path = folder / schema.MANIFEST_FILE
    content = redacted_values(_parse(path))  # what another program wrote into it is shown to all
    current = RunManifest.__dataclass_fields__["schema"].default
    if not isinstance(content, dict) or content.get("schema") != current:
        msg = f"{path}: expected a manifest of layout {current}; run the cell again with force=true"
        raise RecordsError(msg)
    try:
        protocols = {name: _protocol(info) for name, info in content.pop("protocols").items()}
        return RunManifest(**content, protocols=protocols)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{path}: expected the fields of layout {current}, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error


def _protocol(info: dict[str, Any]) -> ProtocolInfo:
    metrics = {name: MetricInfo(**metric) for name, metric in info.pop("metrics").items()}
    clip = info.pop("clip")
    return ProtocolInfo(**info, clip=clip if clip is None else (clip[0], clip[1]), metrics=metrics)


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
        content = json.loads(line)
        height, width = content.pop("input_size")
        for name in ("depth_pixels", "depth_abs_rel"):
            content[name] = tuple(content.get(name, ()))
        return SampleRecord(**content, input_size=(height, width))
    except json.JSONDecodeError as error:
        msg = f"{path}, line {number}: expected JSON, but {error.msg}; the file is damaged or truncated"
        raise RecordsError(msg) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # bytes that are no UTF-8 are a ValueError
        msg = f"{path}, line {number}: expected a record, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error


def _parse(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        msg = f"{path}, line {error.lineno}: expected JSON, but {error.msg}; the file is damaged or truncated"
        raise RecordsError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: expected a text file written by a run, but {error}"
        raise RecordsError(msg) from error
