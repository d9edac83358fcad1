"""Read-only file trees: a folder, a .zip or a .tar, read in place, one file at a time."""

import abc
import functools
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from src.core.bounds import check_bytes
from src.core.errors import DataError
from src.core.reading import read_here
from src.data.storage import tar_index

_SHOWN = 3


class MissingFilesError(DataError):
    """A set that is not whole.

    Attributes:
        names: of all files that are missing.
    """

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


class Tree(abc.ABC):
    """Files below one root, addressed by relative path with forward slashes, with or without a leading "./".

    Safe to share between threads, to inherit by a forked process and to send to a spawned one.

    Args:
        path: the folder or archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abc.abstractmethod
    def names(self) -> Sequence[str]:
        """All files, sorted."""

    @abc.abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""

    @abc.abstractmethod
    def read(self, name: str, first: int = -1) -> bytes:
        """Return the content of one file.

        Args:
            name: of the file.
            first: only so many bytes from its start; -1 for all.

        Raises:
            DataError: if there is no such file or it cannot be read; the message names tree and file.
        """

    @abc.abstractmethod
    def stamp(self, name: str) -> str:
        """Return what changes when the content of one file does: its place, size and time of change.

        Raises:
            DataError: if there is no such file.
        """

    def require(self, names: Sequence[str]) -> None:
        """Check that files are there.

        Raises:
            MissingFilesError: that counts those that are not and names the first.
        """
        missing = [name for name in names if not self.exists(name)]
        if missing:
            msg = (
                f"{self.path}: {len(missing)} of {len(names)} files are missing, the first: {missing[:_SHOWN]}; "
                "complete the download, or point to where the complete set lies"
            )
            raise MissingFilesError(msg, missing)

    def _clean(self, name: str) -> str:
        """The one spelling of a name.

        Raises:
            DataError: if it leads out of the tree.
        """
        clean = PurePosixPath(name)
        if clean.is_absolute() or ".." in clean.parts or "\0" in name:
            msg = f"{self.path}: expected names below the root, got {name!r}, which leads out of it"
            raise DataError(msg)
        return clean.as_posix()

    def _check_size(self, name: str, size: int) -> None:
        """Refuse what is too large to be read whole."""
        try:
            check_bytes(size)
        except ValueError as error:
            msg = f"{self.path}: {name!r}: {error}"
            raise DataError(msg) from error

    def _absent(self, name: str) -> DataError:
        return DataError(f"{self.path}: expected a file {name!r} in it, but there is none; complete the download")


class Folder(Tree):
    """A folder; links in it are followed, since a user put them there."""

    def names(self) -> Sequence[str]:
        """All files at any depth, sorted."""
        return sorted((folder / file).relative_to(self.path).as_posix() for folder, file in _walk(self.path))

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.path / self._clean(name)).is_file()

    @read_here()
    def read(self, name: str, first: int = -1) -> bytes:
        """Return the content of one file."""
        path = self._existing(name)
        try:
            with path.open("rb") as file:
                return file.read(first)
        except OSError as error:
            msg = f"{path}: expected a readable file: {error}"
            raise DataError(msg) from error

    def stamp(self, name: str) -> str:
        """Return place, size and time of change of one file."""
        return file_stamp(self._existing(name))

    def _existing(self, name: str) -> Path:
        path = self.path / self._clean(name)
        if not path.is_file():
            raise self._absent(name)
        return path


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Folder and name of each file, through links; a link that leads back up is entered once."""
    seen: set[tuple[int, int]] = set()
    for folder, below, files in os.walk(root, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from ((Path(folder), file) for file in files)


def file_stamp(path: Path) -> str:
    """Place, size and time of change of a file."""
    status = path.stat()
    return f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"


_STAMP = re.compile(r"(?P<path>.*?)\|\d+\|\d+(\||$)", re.DOTALL)


def stamped_file(stamp: str) -> Path | None:
    """Return the file, or the archive, that a stamp is of; None of one that names no file.

    >>> stamped_file("/data/set.zip|120|1700000000|a.png|0badcafe")
    PosixPath('/data/set.zip')
    >>> stamped_file("corruption=fog severity=1")
    """
    found = _STAMP.match(stamp)
    return Path(found["path"]) if found else None


class Tar(Tree):
    """An uncompressed tar, indexed once; each read opens the file anew, so nothing is shared between processes."""

    def names(self) -> Sequence[str]:
        """All files, sorted."""
        return sorted(self._index)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._clean(name) in self._index

    @read_here()
    def read(self, name: str, first: int = -1) -> bytes:
        """Return the content of one file."""
        start, size = self._place(name)
        size = size if first < 0 else min(first, size)
        self._check_size(name, size)
        if start + size > self.path.stat().st_size:
            msg = f"{self.path}: expected {size} bytes of {name!r}, which go beyond its end; the archive is cut off"
            raise DataError(msg)
        with self.path.open("rb") as file:
            file.seek(start)
            content = file.read(size)
        if len(content) < size:
            msg = f"{self.path}: expected {size} bytes of {name!r}, got {len(content)}; the archive is cut off"
            raise DataError(msg)
        return content

    def stamp(self, name: str) -> str:
        """Return place, size and time of change of the archive, and the place of the file in it."""
        return f"{file_stamp(self.path)}|{self._place(name)}"

    def _place(self, name: str) -> tuple[int, int]:
        try:
            return self._index[self._clean(name)]
        except KeyError:
            raise self._absent(name) from None

    @functools.cached_property
    def _index(self) -> tar_index.Places:
        """Offset and size of each file."""
        return {self._clean(name): place for name, place in tar_index.find_places(self.path).items()}


class Zip(Tree):
    """A zip, indexed once per process."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: tuple[int, zipfile.ZipFile, dict[str, zipfile.ZipInfo]] | None = None

    def names(self) -> Sequence[str]:
        """All files, sorted."""
        return sorted(self._opened()[1])

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._clean(name) in self._opened()[1]

    @read_here()
    def read(self, name: str, first: int = -1) -> bytes:
        """Return the content of one file, checked against the archive's checksum where it is read whole."""
        archive, index = self._opened()
        member = self._member(name, index)
        size = member.file_size if first < 0 else min(first, member.file_size)
        self._check_size(name, size)
        try:
            with archive.open(member) as file:
                return file.read(size)  # not all there is: a member may unpack to more than it claims
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            msg = f"{self.path}: expected a readable file {name!r}: {error}; download the archive again"
            raise DataError(msg) from error

    def stamp(self, name: str) -> str:
        """Return place, size and time of change of the archive, and name and checksum of the file in it."""
        member = self._member(name, self._opened()[1])
        return f"{file_stamp(self.path)}|{member.filename}|{member.CRC:08x}"

    def _member(self, name: str, index: dict[str, zipfile.ZipInfo]) -> zipfile.ZipInfo:
        try:
            return index[self._clean(name)]
        except KeyError:
            raise self._absent(name) from None

    def _opened(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """The archive as this process opened it: a forked child would move the file position of its parent."""
        if self._open is None or self._open[0] != os.getpid():
            try:
                archive = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                msg = f"{self.path}: expected a readable .zip: {error}; download it again"
                raise DataError(msg) from error
            links = [member.filename for member in archive.infolist() if stat.S_ISLNK(member.external_attr >> 16)]
            if links:
                msg = f"{self.path}: expected plain files only, but {links[0]!r} is a link; unpack the archive"
                raise DataError(msg)
            index = {self._clean(member.filename): member for member in archive.infolist() if not member.is_dir()}
            self._open = (os.getpid(), archive, index)
        return self._open[1], self._open[2]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}


_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z")


def open_tree(path: str | Path, *, origin: str, option: str = "root") -> Tree:
    """Open a folder, .tar or .zip for reading; `path` may leave out the suffix of an archive.

    Args:
        path: where to look; if nothing is there, the same with .tar and .zip appended.
        origin: what should be there and where to get it, for the error message.
        option: of the data set that points here, for the same.

    Raises:
        DataError: if nothing is there, or something that allows no random access (a compressed tar).
    """
    path = Path(path).expanduser()
    found = [candidate for candidate in _spellings(path, (".tar", ".zip")) if candidate.exists()]
    if found and found[0].is_dir():
        return Folder(found[0])
    if found and found[0].suffix.lower() in (".tar", ".zip"):
        return Tar(found[0]) if found[0].suffix.lower() == ".tar" else Zip(found[0])
    packed = [file for file in (*found, *_spellings(path, _COMPRESSED)) if str(file).lower().endswith(_COMPRESSED)]
    packed = [file for file in packed if file.exists()]
    if packed:
        msg = (
            f"{packed[0].absolute()}: expected a folder, an uncompressed .tar or a .zip, which allow to read single "
            "files; unpack it, or for a .tar.gz: gunzip it once"
        )
        raise DataError(msg)
    msg = (
        f"{path.absolute()}: expected {origin}; there is {'another kind of file' if found else 'nothing'} here (looked "
        f"for a folder, a .tar and a .zip of this name). Point to it with data.{option}=<folder or archive>, or with "
        "paths.data_dir=<folder of all data sets>"
    )
    raise DataError(msg)


def _spellings(path: Path, suffixes: Sequence[str]) -> list[Path]:
    return [path, *(Path(f"{path}{suffix}") for suffix in suffixes)]
