"""Where each file of a .tar lies: found by walking its headers, and kept beside it where that takes long."""

import hashlib
import json
import logging
import tarfile
from pathlib import Path

from src.core.errors import DataError
from src.core.files import replace_file

log = logging.getLogger(__name__)

Places = dict[str, tuple[int, int]]
"""Offset and size in bytes of each file, by the name that the archive gives it."""

WORTH_KEEPING = 1000
"""From so many files on, the walk (a seek per file) is kept; one of a network disk takes milliseconds per file."""

_FORMAT = 1


def index_file(archive: Path) -> Path:
    """Where the places of an archive's files are kept: beside it, hidden; safe to delete at any time."""
    return archive.with_name(f".{archive.name}.index")


def find_places(archive: Path) -> Places:
    """Find the files of an uncompressed .tar; of files stored twice the last, as unpacking would leave it.

    What was kept is used only for the very archive (size and time of change) and only if it is whole; a folder that
    cannot be written to costs nothing but the walk.

    Raises:
        DataError: if the archive cannot be read, or holds links or sparse files; names the member.
    """
    identity = _identity(archive)
    places = _load(archive, identity)
    if places is None:
        places = _walk(archive)
        if len(places) >= WORTH_KEEPING and identity == _identity(archive):
            _keep(archive, identity, places)
    return places


def _walk(archive: Path) -> Places:
    try:
        with tarfile.open(archive, "r:") as file:
            members = file.getmembers()
    except (tarfile.TarError, OSError, EOFError) as error:
        msg = f"{archive}: expected an uncompressed .tar: {error}; download it again, or gunzip it once"
        raise DataError(msg) from error
    for member in members:
        if member.issym() or member.islnk() or member.issparse():
            msg = (
                f"{archive}: expected plain files only, but {member.name!r} is a link or sparse file; unpack the "
                "archive, or pack it again with tar --dereference --hard-dereference"
            )
            raise DataError(msg)
    return {member.name: (member.offset_data, member.size) for member in members if member.isfile()}


def _identity(archive: Path) -> tuple[int, int]:
    try:
        status = archive.stat()
    except OSError as error:
        msg = f"{archive}: expected a readable .tar: {error}"
        raise DataError(msg) from error
    return status.st_size, status.st_mtime_ns


def _keep(archive: Path, identity: tuple[int, int], places: Places) -> None:
    body = json.dumps(places, ensure_ascii=True).encode()
    head = {"format": _FORMAT, "archive": identity, "sha256": hashlib.sha256(body).hexdigest()}
    try:
        replace_file(index_file(archive), json.dumps(head).encode() + b"\n" + body)
    except OSError as error:
        log.debug("%s: its index is not kept: %s", archive, error)


def _load(archive: Path, identity: tuple[int, int]) -> Places | None:
    try:
        head, _, body = index_file(archive).read_bytes().partition(b"\n")
        found = json.loads(head)
        expected = {"format": _FORMAT, "archive": list(identity), "sha256": hashlib.sha256(body).hexdigest()}
        if found != expected:
            return None
        return {name: (int(start), int(size)) for name, (start, size) in json.loads(body).items()}
    except (OSError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            log.debug("%s: its index is read anew: %s", archive, error)
        return None
