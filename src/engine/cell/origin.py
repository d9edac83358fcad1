"""Whose records an unfinished cell holds: `files.json`, written before the first of them and removed after the last."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.core.errors import RecordsError
from src.records.schema import CONTENT_FILE
from src.records.sealed import read_sealed, write_sealed
from src.records.status import noted
from src.records.typed import build

_LAYOUT = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What records of a folder are of.

    Attributes:
        layout: of the file; the first one, of before the rest was kept, held `content` alone.
        fingerprint: of the measurement.
        measured: its resolved configuration.
        rescored_from: cell whose saved predictions were scored; "" if the model predicted.
        content: digests of the files of the data and of the model, see `content`.
    """

    layout: int = _LAYOUT
    fingerprint: str
    measured: dict[str, Any]
    rescored_from: str
    content: dict[str, dict[str, str]]


def write_origin(folder: Path, origin: Origin) -> None:
    """Write down whose records are going to be in a folder."""
    write_sealed(folder / CONTENT_FILE, dataclasses.asdict(origin))


def read_origin(folder: Path) -> Origin | None:
    """Return whose records are in a folder; None where nothing says so.

    Raises:
        RecordsError: if what says so is damaged.
    """
    path = folder / CONTENT_FILE
    if not path.exists():
        return None
    found = read_sealed(path)
    try:
        return build(Origin, found) if "layout" in found else _of_first_layout(folder, found)
    except ValueError as error:
        msg = f"{path}: expected what a run writes there, but {error}"
        raise RecordsError(msg) from error


def _of_first_layout(folder: Path, content: Mapping[str, Any]) -> Origin:
    """What was kept elsewhere then."""
    said = noted(folder)
    about = {
        "fingerprint": said.get("fingerprint", ""),
        "measured": said.get("measured", {}),
        "rescored_from": said.get("rescored_from", ""),
    }
    return build(Origin, {**about, "content": dict(content)})
