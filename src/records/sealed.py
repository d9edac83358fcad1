"""JSON files that say whether they still are what was written: a digest of their content is their last entry."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from src.core.errors import RecordsError
from src.core.secrets import redacted_values
from src.records.durable import replaced

SEAL: Final = "sha256"
"""Key of the digest: of all other entries as compact JSON with sorted keys. Files of before this was kept have none."""

_REMEDY: Final = "run the cell again with force=true"


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values as indented JSON with a digest of them, whole or not at all, without keys and passwords.

    Raises:
        ValueError: on NaN and infinity.
    """
    plain: dict[str, Any] = redacted_values(json.loads(json.dumps(content, allow_nan=False)))
    text = json.dumps({**plain, SEAL: _digest(plain)}, ensure_ascii=False, indent=1) + "\n"
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


def read_sealed(path: Path, *, remedy: str = _REMEDY) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without the digest; or what was written before there was one, unverified.

    Args:
        path: of the file.
        remedy: what to do where it is damaged, for the message.

    Raises:
        RecordsError: if the file is missing, no JSON object, or not as it was written; the message names it.
    """
    content = read_json(path, remedy=remedy)
    if not isinstance(content, dict):
        msg = f"{path}: expected a JSON object written by a run, got {type(content).__name__}; {remedy}"
        raise RecordsError(msg)
    seal = content.pop(SEAL, None)
    if seal is not None and seal != _digest(content):
        msg = (
            f"{path}: expected what a run has written, but its checksum differs: it is damaged or was edited; {remedy}"
        )
        raise RecordsError(msg)
    return content


def read_json(path: Path, *, remedy: str = _REMEDY) -> Any:
    """Read a file of JSON, which knows neither NaN nor infinity.

    Raises:
        RecordsError: if it is missing, unreadable or no JSON; the message names the file.
    """
    try:
        return parse_json(path.read_bytes())
    except json.JSONDecodeError as error:
        msg = f"{path}, line {error.lineno}: expected JSON, but {error.msg}: it is damaged or truncated; {remedy}"
        raise RecordsError(msg) from error
    except (OSError, ValueError, RecursionError) as error:  # numbers of thousands of digits are a ValueError
        msg = f"{path}: expected JSON written by a run, but {error}; {remedy}"
        raise RecordsError(msg) from error


def parse_json(content: bytes) -> Any:
    """Parse JSON, which knows neither NaN nor infinity.

    Raises:
        ValueError: if it is none.
        RecursionError: if it is nested too deeply.
    """
    return json.loads(content.decode("utf-8"), parse_constant=_refuse)


def _refuse(word: str) -> NoReturn:
    msg = f"{word} is no number"
    raise ValueError(msg)


def _digest(content: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    except RecursionError:  # what was written is not nested so deeply
        return ""
    return hashlib.sha256(text.encode()).hexdigest()
