"""Bring the files of a data variant here, as far as they may be fetched freely, or say what to do by hand."""

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from src.core.errors import DataError
from src.data.readiness.download import Report, download
from src.data.readiness.sources import RemoteFile, Source

Progress = Callable[[str], AbstractContextManager[Report]]
"""Opens a display of progress under a name."""


def fetch(variant: str, source: Source | None, arguments: Mapping[str, Any], *, progress: Progress) -> list[str]:
    """Fetch the files of a data variant to where its reader expects them.

    Args:
        variant: its name.
        source: how it comes here.
        arguments: of the data set, with `root`.
        progress: shows how far a file is.

    Returns:
        What was done, a line for each file, and what is left for you to do.

    Raises:
        DataError: if it needs handwork, with the steps, or if a file cannot be had.
    """
    if source is None:
        msg = f"{variant}: no address is known for it; `python -m src.data list` says where its files come from"
        raise DataError(msg)
    if not source.files:
        steps = "\n".join(f"  {k}. {step.format(**arguments)}" for k, step in enumerate(source.steps, start=1))
        msg = f"{variant} cannot be fetched without you:\n{steps}\nThen: python -m src.data verify data={variant}"
        raise DataError(msg)
    brought = [_bring(remote, Path(remote.to.format(**arguments)).expanduser(), progress) for remote in source.files]
    left = [f"by hand: {step.format(**arguments)}" for step in source.steps]
    return [*brought, *left]


def _bring(remote: RemoteFile, target: Path, progress: Progress) -> str:
    done = _unpacked(target, remote)
    if done.exists():
        return f"{done}: is here"
    with progress(target.name) as report:
        digest = download(remote, target, report=report)
    if remote.then == "gunzip":
        _gunzip(target, done)
    elif remote.then == "unzip":
        _unzip(target, done)
    judged = "as published" if remote.digest else "no hash is published, so verify has to judge it"
    return f"{done if remote.then == 'gunzip' else target}: sha256 {digest or 'not taken, it was here'}; {judged}"


def _unpacked(target: Path, remote: RemoteFile) -> Path:
    """What is there once a file has been dealt with."""
    match remote.then:
        case "gunzip":
            return target.with_suffix("")
        case "unzip":
            return target.with_name(f".{target.name}.unpacked")
        case _:
            return target


def _gunzip(packed: Path, target: Path) -> None:
    part = Path(f"{target}.part")
    try:
        with gzip.open(packed) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, 2**20)
        part.replace(target)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{packed}: cannot be gunzipped here: {error}"
        raise DataError(msg) from error
    finally:
        part.unlink(missing_ok=True)
    packed.unlink()


def _unzip(packed: Path, mark: Path) -> None:
    """Unpack beside the archive and remove it; members that lead elsewhere or are links are refused."""
    folder = packed.parent
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                place = folder / member.filename
                is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
                if is_link or not place.resolve().is_relative_to(folder.resolve()):
                    msg = f"{packed}: expected plain files below its root, got {member.filename!r}"
                    raise DataError(msg)
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        msg = f"{packed}: cannot be unpacked here: {error}"
        raise DataError(msg) from error
    mark.touch()
    packed.unlink()
