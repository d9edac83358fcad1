"""Read-only file trees: a folder, a .zip or a .tar, read in place, one file at a time."""

import abc
import functools
import os
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from src.core.errors import DataError

_SHOWN = 3


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
    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Raises:
            DataError: if there is no such file or it cannot be read; the message names tree and file.
        """

    def require(self, names: Sequence[str]) -> None:
        """Check that files are there.

        Raises:
            DataError: that counts those that are not and names the first.
        """
        missing = [name for name in names if not self.exists(name)]
        if missing:
            msg = (
                f"{self.path}: {len(missing)} of {len(names)} files are missing, the first: {missing[:_SHOWN]}; "
                "complete the download, or point to where the complete set lies"
            )
            raise DataError(msg)

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

    def _absent(self, name: str) -> DataError:
        return DataError(f"{self.path}: expected a file {name!r} in it, but there is none; complete the download")


class Folder(Tree):
    """A folder; links in it are followed, since a user put them there."""

    def names(self) -> Sequence[str]:
        """All files at any depth, sorted."""
        return sorted(
            (Path(root) / file).relative_to(self.path).as_posix()
            for root, _, files in os.walk(self.path, followlinks=True)
            for file in files
        )

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.path / self._clean(name)).is_file()

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        path = self.path / self._clean(name)
        if not path.is_file():
            raise self._absent(name)
        try:
            return path.read_bytes()
        except OSError as error:
            msg = f"{path}: expected a readable file: {error}"
            raise DataError(msg) from error


class Tar(Tree):
    """An uncompressed tar, indexed once; each read opens the file anew, so nothing is shared between processes."""

    def names(self) -> Sequence[str]:
        """All files, sorted."""
        return sorted(self._index)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._clean(name) in self._index

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        try:
            start, size = self._index[self._clean(name)]
        except KeyError:
            raise self._absent(name) from None
        with self.path.open("rb") as file:
            file.seek(start)
            content = file.read(size)
        if len(content) < size:
            msg = f"{self.path}: expected {size} bytes of {name!r}, got {len(content)}; the archive is cut off"
            raise DataError(msg)
        return content

    @functools.cached_property
    def _index(self) -> dict[str, tuple[int, int]]:
        """Offset and size of each file; of files stored twice the last, as unpacking would leave it."""
        try:
            with tarfile.open(self.path, "r:") as archive:
                members = archive.getmembers()
        except (tarfile.TarError, OSError, EOFError) as error:
            msg = f"{self.path}: expected an uncompressed .tar: {error}; download it again, or gunzip it once"
            raise DataError(msg) from error
        for member in members:
            if member.issym() or member.islnk() or member.issparse():
                msg = (
                    f"{self.path}: expected plain files only, but {member.name!r} is a link or sparse file; unpack the "
                    "archive, or pack it again with tar --dereference --hard-dereference"
                )
                raise DataError(msg)
        return {self._clean(member.name): (member.offset_data, member.size) for member in members if member.isfile()}


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

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        archive, index = self._opened()
        clean = self._clean(name)
        if clean not in index:
            raise self._absent(name)
        try:
            return archive.read(index[clean])
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            msg = f"{self.path}: expected a readable file {name!r}: {error}; download the archive again"
            raise DataError(msg) from error

    def _opened(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """The archive as this process opened it: a forked child would move the file position of its parent."""
        if self._open is None or self._open[0] != os.getpid():
            try:
                archive = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                msg = f"{self.path}: expected a readable .zip: {error}; download it again"
                raise DataError(msg) from error
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
