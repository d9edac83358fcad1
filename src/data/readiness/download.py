"""Fetch one file over HTTP: go on where it was interrupted, and never leave a wrong file under the right name."""

import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from src.core.errors import DataError
from src.data.readiness.sources import RemoteFile

Report = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes of the whole file, as far as that is known."""

_CHUNK = 2**20
_SECONDS = 60  # without a byte, after which a connection counts as dead
_PASSING = (408, 425, 429, 500, 502, 503, 504)


def download(
    remote: RemoteFile,
    target: Path,
    *,
    report: Report | None = None,
    attempts: int = 5,
    pause: float = 2.0,
) -> str:
    """Fetch a file to `target`, unless it is there.

    What has come so far lies in `<target>.part` and survives an interruption: the next call asks the server for the
    rest, on condition that its file is still the same (If-Range), and starts again if it is not, or if the server sends
    whole files only. The file takes its name only when size and hash are those expected, as far as they are known.

    Args:
        remote: where it lies, and what is known of it.
        target: where it goes; its folder is made.
        report: told of every piece.
        attempts: how often a broken connection is taken up again.
        pause: seconds before the second attempt, doubled before each further one.

    Returns:
        The SHA-256 of the file in hexadecimal digits; "" if it was there already.

    Raises:
        DataError: if the file cannot be had or is another one than expected, there is no room for it or no leave to
            write, or another process is fetching it.
    """
    if not remote.url.startswith(("https://", "http://")):
        msg = f"{remote.url}: expected an address that begins with https://"
        raise DataError(msg)
    if target.exists():
        return ""
    part = Path(f"{target}.part")
    with _local_faults(part, remote), _sole(part) as file:
        for attempt in range(attempts):
            try:
                _receive(remote, file, part, report)
                break
            except (OSError, http.client.HTTPException) as error:
                if not _may_pass(error) or attempt == attempts - 1:
                    raise _interrupted(remote, part, error) from error
                time.sleep(pause * 2**attempt)
        digest = _check(remote, part)
        part.replace(target)
        _note(part).unlink(missing_ok=True)
    return digest


class _LocalError(Exception):
    """Writing failed, as opposed to receiving."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http(s) alone, and never from https to http, where anybody on the way may change the file."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Follow as urllib does, or refuse.

        Raises:
            DataError: names both addresses.
        """
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            wanted = "https" if before == "https" else "http or https"
            said = f"{req.full_url}: expected a redirection to an address of {wanted}, got {newurl}"
            raise DataError(said)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _receive(remote: RemoteFile, file: BinaryIO, part: Path, report: Report | None) -> None:
    """Ask for what is missing and append it."""
    here = file.seek(0, os.SEEK_END)
    validator = _validator(part, remote)
    request = urllib.request.Request(remote.url, headers={"User-Agent": "leadline", "Accept-Encoding": "identity"})  # noqa: S310  # checked above
    if here and validator:
        request.add_header("Range", f"bytes={here}-")
        request.add_header("If-Range", validator)
    try:
        response = urllib.request.build_opener(_Redirects).open(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # all of it is here, or more than there is
        if here != remote.size:
            file.truncate(0)
            raise ConnectionError(str(error)) from error
        return
    with response:
        if response.status != http.client.PARTIAL_CONTENT or not _continues(response, here):
            file.truncate(0)
            here = 0
        length = _length(remote, response)
        whole = None if length is None else here + length
        _check_offer(remote, whole)
        _make_room(part, None if whole is None else whole - here)
        _remember(part, remote, response)
        while chunk := response.read(_CHUNK):
            try:
                file.write(chunk)
            except OSError as error:
                raise _LocalError(error) from error
            here += len(chunk)
            _check_enough(remote, here, file)
            if report is not None:
                report(here, whole)
    if whole is not None and here < whole:
        msg = f"the connection ended after {here} of {whole} bytes"
        raise ConnectionError(msg)


def _length(remote: RemoteFile, response: http.client.HTTPResponse) -> int | None:
    """How many bytes the server announces; None if it does not say."""
    length = response.headers.get("Content-Length")
    if length is not None and not (length.isascii() and length.isdigit()):
        msg = f"{remote.url}: expected the length of the file in bytes, the server says {length[:80]!r}"
        raise DataError(msg)
    return None if length is None else int(length)


def _check_enough(remote: RemoteFile, here: int, file: BinaryIO) -> None:
    """Stop a server that sends more than the file has."""
    if remote.size is not None and here > remote.size:
        file.truncate(0)
        msg = f"{remote.url}: expected a file of {remote.size} bytes, the server sends more; nothing was kept"
        raise DataError(msg)


def _continues(response: http.client.HTTPResponse, here: int) -> bool:
    """Whether the server sends on from byte `here`, not from another one."""
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {here}-")


def _check_offer(remote: RemoteFile, whole: int | None) -> None:
    if remote.size is not None and whole is not None and whole != remote.size:
        msg = (
            f"{remote.url}: expected a file of {remote.size} bytes, the server has one of {whole}; it is another "
            "version, or a page that asks for something: open the address in a browser"
        )
        raise DataError(msg)


def _make_room(part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed > free:
        msg = (
            f"{part.parent}: expected room for {needed} more bytes, the disk has {free}; free some, or fetch elsewhere"
        )
        raise DataError(msg)


def _check(remote: RemoteFile, part: Path) -> str:
    """Hash what has come, and remove it if it is not the file.

    Raises:
        DataError: if size or hash differ.
    """
    sha256 = hashlib.sha256()
    stated = sha256 if remote.digest is None else hashlib.new(remote.algorithm, usedforsecurity=False)
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if stated is not sha256:
                stated.update(chunk)
    size = part.stat().st_size
    right_size = remote.size in (None, size)
    if not right_size or remote.digest not in (None, stated.hexdigest()):
        part.unlink()
        _note(part).unlink(missing_ok=True)
        expected = f"{remote.size} bytes" if not right_size else f"{remote.algorithm} {remote.digest}"
        came = f"{size} bytes" if not right_size else stated.hexdigest()
        msg = f"{remote.url}: expected {expected}, got {came}; nothing was kept, fetch it again"
        raise DataError(msg)
    return sha256.hexdigest()


def _note(part: Path) -> Path:
    """Where it is written down which version of which file the part is of."""
    return Path(f"{part}.json")


def _remember(part: Path, remote: RemoteFile, response: http.client.HTTPResponse) -> None:
    tag = response.headers.get("ETag", "")
    # a weak tag promises no equal bytes
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    try:
        _note(part).write_text(json.dumps({"url": remote.url, "validator": validator}), encoding="utf-8")
    except OSError as error:
        raise _LocalError(error) from error


def _validator(part: Path, remote: RemoteFile) -> str:
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        return str(note["validator"]) if note["url"] == remote.url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help."""
    return error.code in _PASSING if isinstance(error, urllib.error.HTTPError) else True


def _interrupted(remote: RemoteFile, part: Path, error: Exception) -> DataError:
    if isinstance(error, urllib.error.HTTPError) and not _may_pass(error):
        return DataError(f"{remote.url}: the server answers {error.code} {error.reason}; the file may have moved")
    here = part.stat().st_size
    return DataError(f"{remote.url}: interrupted after {here} bytes ({error}); the same command goes on from there")


@contextlib.contextmanager
def _sole(part: Path) -> Iterator[BinaryIO]:
    """The part, open for appending by this process alone."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"{part}: another process is fetching this file; wait for it to end"
            raise DataError(msg) from error
        yield file


@contextlib.contextmanager
def _local_faults(part: Path, remote: RemoteFile) -> Iterator[None]:
    """Say what is wrong with the disk, in words."""
    try:
        yield
    except (_LocalError, OSError) as error:
        cause = error.args[0] if isinstance(error, _LocalError) else error
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            msg = f"{part.parent}: the disk is full; free some room, and the same command goes on from there"
        else:
            msg = f"{part.parent}: {remote.url} cannot be written here: {cause}"
        raise DataError(msg) from error
