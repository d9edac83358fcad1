"""Which files of your own there are, and what each is called: folders, patterns and lists of samples."""

import glob
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from src.core.errors import DataError

_WILDCARDS = "*?["
_RUN = re.compile(r"((?:\*+|\?|\[!?[^\]]+\])+)")
_WILDCARD = re.compile(r"(?P<any>\*+)|(?P<one>\?)|\[(?P<negated>!?)(?P<set>[^\]]+)\]")
_COMMENT = re.compile(r"(^|\s)#.*")


def is_many(source: str | Path) -> bool:
    """Whether a path is that of several files: a folder or a pattern."""
    path = Path(source).expanduser()
    return path.is_dir() or (not path.exists() and any(sign in str(path) for sign in _WILDCARDS))


def find_files(kind: str, source: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Files of one kind by sample id, in Unicode's composed form (NFC).

    The id is the path without suffix: of a folder, below it; of a pattern, what its wildcards stand for, joined by
    slashes, so that `shots/*/rgb/*.jpg` and `shots/*/depth/*.png` name alike what belongs together. Links are followed;
    hidden files and files of other types are not looked at.

    Args:
        kind: the name of the option, for messages.
        source: folder or pattern (`*`, `?`, `[...]`, and `**` for any number of folders).
        suffixes: of the files, lower case.

    Raises:
        DataError: if there are none, or two for one id.
    """
    if not is_many(source):
        msg = f"{kind}: expected a folder, or a pattern with wildcards, and {source.absolute()} is none"
        raise DataError(msg)
    files: dict[str, Path] = {}
    for path, name in _below(source) if source.is_dir() else _matching(kind, source):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        key = unicodedata.normalize("NFC", name)
        if key in files:
            msg = f"{kind}: expected one file for the sample {key!r}, got {files[key]} and {path}"
            raise DataError(msg)
        files[key] = path
    if not files:
        where = "below" if source.is_dir() else "that match"
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


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    for root, _, names in os.walk(folder, followlinks=True):
        for path in (Path(root, name) for name in sorted(names)):
            yield path, path.relative_to(folder).with_suffix("").as_posix()


def _matching(kind: str, pattern: Path) -> Iterator[tuple[Path, str]]:
    found = glob.glob(str(pattern), recursive=True)  # noqa: PTH207 (Path.glob does not follow links below `**`)
    for path in sorted(Path(name) for name in found):
        if not path.is_file():
            continue
        match = _expression(pattern).fullmatch(path.with_suffix("").as_posix())
        if match is None:
            msg = f"{kind}: expected a pattern that ends with the suffix of its files, got {pattern} for {path}"
            raise DataError(msg)
        may_be_empty = match.re.groupindex.values()
        texts = [text.removesuffix("/") for k, text in enumerate(match.groups(), 1) if text or k not in may_be_empty]
        yield path, "/".join(texts)


def _expression(pattern: Path) -> re.Pattern[str]:
    """The pattern without its suffix: each run of wildcards is a group; `**`, which may be empty, one with a name."""
    parts = pattern.with_suffix("").as_posix().split("/")
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
    return re.compile(text)


def _translated(wildcard: re.Match[str]) -> str:
    if wildcard["any"]:
        return "[^/]*"
    if wildcard["one"]:
        return "[^/]"
    letters = wildcard["set"].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
    return f"[{'^' if wildcard['negated'] else ''}{letters}]"
