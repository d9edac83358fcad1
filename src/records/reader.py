"""Read what a run has written."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from src.core.errors import RecordsError
from src.records import schema
from src.records.schema import MetricInfo, ProtocolInfo, RunManifest, SampleRecord


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A complete cell.

    Attributes:
        folder: where it lies.
        manifest: everything that is not per image.
        records: one per image and protocol, ordered by image.
    """

    folder: Path
    manifest: RunManifest
    records: tuple[SampleRecord, ...]


def find_cells(roots: Sequence[Path]) -> list[Path]:
    """Return the folders of all complete cells at or below the given folders, sorted and unique.

    Raises:
        RecordsError: if one of the folders does not exist.
    """
    for root in roots:
        if not root.is_dir():
            msg = f"{root}: expected a folder written by a run, found none; check the path or run an evaluation first"
            raise RecordsError(msg)
    return sorted({manifest.parent for root in roots for manifest in root.rglob(schema.MANIFEST_FILE)})


def is_complete(folder: Path) -> bool:
    """Whether the cell of this folder has been run to the end."""
    return (folder / schema.MANIFEST_FILE).is_file()


def read_cell(folder: Path) -> Cell:
    """Read a complete cell.

    Raises:
        RecordsError: if a file is missing or is not what a run writes.
    """
    return Cell(
        folder=folder, manifest=read_manifest(folder), records=tuple(read_records(folder / schema.RECORDS_FILE))
    )


def read_manifest(folder: Path) -> RunManifest:
    """Read the manifest of a complete cell.

    Raises:
        RecordsError: if it is missing, broken or of another layout version.
    """
    path = folder / schema.MANIFEST_FILE
    content = _parse(_text(path), path)
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


def read_records(path: Path, *, unfinished: bool = False) -> list[SampleRecord]:
    """Read a file of records.

    Args:
        path: of the file.
        unfinished: the writer may have died in the middle of the last line, which is then left out.

    Raises:
        RecordsError: if it is missing, or a line is broken; the message names the line.
    """
    records = []
    text = _text(path, errors="replace" if unfinished else "strict")
    if unfinished:
        text = text[: text.rfind("\n") + 1]
    # not splitlines: names may hold other separators of lines
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        content = _parse(line, path, number)
        try:
            height, width = content.pop("input_size")
            records.append(SampleRecord(**content, input_size=(height, width)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"{path}, line {number}: expected a record, but {error}; run the cell again with force=true"
            raise RecordsError(msg) from error
    return records


def _text(path: Path, errors: str = "strict") -> str:
    try:
        return path.read_text(encoding="utf-8", errors=errors)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: expected a text file written by a run, but {error}"
        raise RecordsError(msg) from error


def _parse(text: str, path: Path, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        msg = (
            f"{path}, line {line + error.lineno - 1}: expected JSON, but {error.msg}; the file is damaged or truncated"
        )
        raise RecordsError(msg) from error
