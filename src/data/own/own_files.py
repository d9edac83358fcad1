"""Which files of your own there are, and what each is called: folders, archives, patterns and lists of samples."""

import dataclasses
import glob
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from src.core.errors import DataError
from src.data.storage.archive import Tree, file_stamp, open_tree

_ARCHIVES = (".zip", ".tar")
_WILDCARDS = "*?["
_RUN = re.compile(r"((?:\*+|\?|\[!?[^\]]+\])+)")
_WILDCARD = re.compile(r"(?P<any>\*+)|(?P<one>\?)|\[(?P<negated>!?)(?P<set>[^\]]+)\]")
_COMMENT = re.compile(r"(^|\s)#.*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """One file, on disk or in an archive; a set may have millions, and a path takes a kilobyte.

    Attributes:
        root: folder or archive that it lies in, shared with others.
        name: below that.
        archive: the same as root, or None if it is a folder.
    """

    root: Path
    name: str
    archive: Tree | None = None

    @property
    def path(self) -> Path:
        """Of the file; in an archive the archive's, followed by the name in it."""
        return self.root / self.name

    def content(self) -> bytes | None:
        """The bytes of a file in an archive; None of one that can be read at its path."""
        return None if self.archive is None else self.archive.read(self.name)

    def stamp(self) -> str:
        """What changes when the file does."""
        return file_stamp(self.path) if self.archive is None else self.archive.stamp(self.name)


def is_many(source: str | Path) -> bool:
    """Whether a path is that of several files: a folder or a pattern, on disk or in an archive, or an archive."""
    path = Path(source).expanduser()
    packed = _packed(path)
    if packed is not None:
        archive, below = packed
        return not archive.exists(below)
    return path.is_dir() or (not path.exists() and any(sign in str(path) for sign in _WILDCARDS))


def find_files(kind: str, source: Path, suffixes: Sequence[str]) -> dict[str, OwnFile]:
    """Files of one kind by sample id, in Unicode's composed form (NFC).

    The id is the path without suffix: of a folder or an archive, below it; of a pattern, what its wildcards stand for,
    joined by slashes, so that `shots/*/rgb/*.jpg` and `shots/*/depth/*.png` name alike what belongs together. Folders
    and patterns may go on inside an archive: `shots.zip/rgb`. Links are followed, on disk; hidden files and files of
    other types are not looked at.

    Args:
        kind: the name of the option, for messages.
        source: folder, .zip, .tar, or pattern (`*`, `?`, `[...]`, and `**` for any number of folders).
        suffixes: of the files, lower case.

    Raises:
        DataError: if there are none, or two for one id, or an archive is damaged.
    """
    if not is_many(source):
        msg = f"{kind}: expected a folder, a .zip or .tar, or a pattern with wildcards, and {source.absolute()} is none"
        raise DataError(msg)
    files: dict[str, OwnFile] = {}
    for file, name in _found(kind, source):
        path = PurePath(file.name)
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        key = unicodedata.normalize("NFC", name)
        if key in files:
            msg = f"{kind}: expected one file for the sample {key!r}, got {files[key].path} and {file.path}"
            raise DataError(msg)
        files[key] = file
    if not files:
        where = "that match" if any(sign in str(source) for sign in _WILDCARDS) and not source.exists() else "below"
        msg = f"{kind}: expected files of type {', '.join(suffixes)} {where} {source.absolute()}, found none"
        raise DataError(msg)
    return files


def read_split(path: Path) -> dict[str, int]:
    """Sample ids of a split file, in its order, with their lines.

    One id a line; a `#` at the start or after a space begins a comment.

    Raises:
        DataError: if the file is unreadable, empty or names a sample twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"split: expected a text file of sample ids, one a line: {path.absolute()}: {error}"
        raise DataError(msg) from error
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name = unicodedata.normalize("NFC", _COMMENT.sub("", line).strip())
        if name in lines:
            msg = f"split: expected each sample once, got {name!r} in lines {lines[name]} and {number} of {path}"
            raise DataError(msg)
        if name:
            lines[name] = number
    if not lines:
        msg = f"split: expected sample ids, one a line, and {path} holds none"
        raise DataError(msg)
    return lines


def _found(kind: str, source: Path) -> Iterator[tuple[OwnFile, str]]:
    """Files and what they are called."""
    packed = _packed(source)
    if packed is not None:
        yield from _inside(kind, *packed)
    elif source.is_dir():
        yield from _below(source)
    else:
        yield from _matching(kind, source)


def _packed(source: Path) -> tuple[Tree, str] | None:
    """The archive that a path leads into and the rest of the path; None if it leads into none."""
    for place in (source, *source.parents):
        if place.suffix.lower() in _ARCHIVES and place.is_file():
            below = source.relative_to(place).as_posix()
            return open_tree(place, origin="an archive"), "" if below == "." else below
    return None


def _inside(kind: str, archive: Tree, below: str) -> Iterator[tuple[OwnFile, str]]:
    paths = {PurePosixPath(name): OwnFile(root=archive.path, name=name, archive=archive) for name in archive.names()}
    under = {path: file for path, file in paths.items() if path.is_relative_to(below)}
    if under or not any(sign in below for sign in _WILDCARDS):
        yield from ((file, path.relative_to(below).with_suffix("").as_posix()) for path, file in under.items())
        return
    selected = re.compile(_regex(below))
    for path, file in paths.items():
        if selected.fullmatch(path.as_posix()):
            yield file, _called(kind, PurePosixPath(below), path)


def _below(folder: Path) -> Iterator[tuple[OwnFile, str]]:
    for root, _, names in os.walk(folder, followlinks=True):
        for path in (Path(root, name).relative_to(folder) for name in sorted(names)):
            yield OwnFile(root=folder, name=str(path)), path.with_suffix("").as_posix()


def _matching(kind: str, pattern: Path) -> Iterator[tuple[OwnFile, str]]:
    here = Path()
    found = glob.glob(str(pattern), recursive=True)  # noqa: PTH207 (Path.glob does not follow links below `**`)
    for path in sorted(Path(name) for name in found):
        if not path.is_file():
            continue
        yield OwnFile(root=here, name=str(path)), _called(kind, pattern, path)


def _called(kind: str, pattern: PurePath, path: PurePath) -> str:
    """What the wildcards of a pattern without its suffix stand for."""
    match = re.fullmatch(_regex(pattern.with_suffix("").as_posix()), path.with_suffix("").as_posix())
    if match is None:
        msg = f"{kind}: expected a pattern that ends with the suffix of its files, got {pattern} for {path}"
        raise DataError(msg)
    may_be_empty = match.re.groupindex.values()
    texts = [text.removesuffix("/") for k, text in enumerate(match.groups(), 1) if text or k not in may_be_empty]
    return "/".join(texts)


def _regex(pattern: str) -> str:
    """The pattern as an expression: each run of wildcards is a group; `**`, which may be empty, one with a name."""
    parts = pattern.split("/")
    text, groups = "", 0
    for k, part in enumerate(parts):
        is_last = k == len(parts) - 1
        if part == "**":
            groups += 1
            text += f"(?P<f{groups}>.*)" if is_last else f"(?P<f{groups}>(?:[^/]+/)*)"
            continue
        pieces = _RUN.split(part)
        groups += len(pieces) // 2
        text += "".join(f"({_WILDCARD.sub(_translated, p)})" if j % 2 else re.escape(p) for j, p in enumerate(pieces))
        text += "" if is_last else "/"
    return text


def _translated(wildcard: re.Match[str]) -> str:
    if wildcard["any"]:
        return "[^/]*"
    if wildcard["one"]:
        return "[^/]"
    letters = wildcard["set"].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
    return f"[{'^' if wildcard['negated'] else ''}{letters}]"
