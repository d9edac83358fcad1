"""Whether the files that a cell was computed from are still the same: its folder is named by settings, not by files."""

import functools
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lightning.pytorch import LightningDataModule, LightningModule

from src.core.errors import ConfigError, LeadlineError
from src.engine.cell.build import Builder

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Content = dict[str, dict[str, str]]
"""What was read, "data" and "model" -> name of an image, or of a file of the model -> digest of its content's marks."""

_BLOCK = 4096  # bytes
_BLOCKS = 8  # evenly over a large file; the last has the checksums of .png, and of the parts of .zip, .npz and .pth
_WHOLE = 64 * 1024  # bytes, up to which a file is read whole
_THREADS = 16  # hide the latency of network file systems
_AT_ONCE = 1024  # what waits for a thread takes kilobytes


def content_of(build: Builder, datamodule: LightningDataModule, model: LightningModule | None) -> Content:
    """Mark the files of a cell: those of each image as far as the data set says, and the local ones of the model."""
    names: tuple[str, ...] = datamodule.sample_ids  # type: ignore[attr-defined]
    images: Iterator[tuple[str, list[Path]]] = datamodule.files()  # type: ignore[attr-defined]
    reads: Any = getattr(model, "files", None)  # what stands in for a model has none
    read: Sequence[Path] | None = reads(names) if reads else ()
    local = _local_files(build) if read is None else read
    mark = functools.lru_cache(_AT_ONCE)(_mark)  # an archive is a file of many images

    def of_image(image: tuple[str, list[Path]]) -> tuple[str, str]:
        name, files = image
        return name, _digest([mark(file) for file in files])

    def of_file(numbered: tuple[int, Path]) -> tuple[str, str]:
        place, file = numbered
        return f"{place} {file.name}", _digest(_whole(file) if read is None else mark(file))

    content = {
        "data": dict(_on_threads(of_image, ((name, files) for name, files in images if files))),
        "model": dict(_on_threads(of_file, enumerate(local))),
    }
    return {what: found for what, found in content.items() if found}


def summary_of(content: Content) -> dict[str, dict[str, Any]]:
    """Return the number of entries and a digest of them, as a manifest keeps it."""
    return {what: {"entries": len(marks), "digest": _digest(list(marks.items()))} for what, marks in content.items()}


def changed_images(before: Content, now: Content) -> frozenset[str]:
    """Return the images whose files are not what they were; those that are not in `before` count as unchanged."""
    known = now.get("data", {})
    return frozenset(name for name, mark in before.get("data", {}).items() if known.get(name) != mark)


def refuse_changed(build: Builder, before: Mapping[str, Mapping[str, Any]], *, of: str) -> None:
    """Make sure that the files are those of a summary. Where they are not on this machine nothing can be said.

    Args:
        build: of the cell.
        before: the summary; {} of a cell that has none.
        of: what was computed from those files, for the message.

    Raises:
        ConfigError: if they have changed.
    """
    if not before:
        return
    try:
        content = content_of(build, build.datamodule(), build.model() if "model" in before else None)
    except (LeadlineError, OSError):
        return
    now = summary_of(content)
    for what, then in before.items():
        if what in now and now[what] != then:
            counts = [then["entries"], now[what]["entries"]]
            count = "" if counts[0] == counts[1] else f" ({counts[0]} then, {counts[1]} now)"
            msg = (
                f"{of}, but the files of its {what} have changed since{count}: run it again with force=true to compute "
                "it from those of now; to keep both, give the changed ones a path of their own"
            )
            raise ConfigError(msg)


def _local_files(build: Builder) -> Iterator[Path]:
    """Files and folders that the model's configuration names, such as a checkpoint; without hidden and cached ones."""
    settings = build.settings().get("model", {})
    words = [value for value in settings.values() if isinstance(value, str)]
    for path in (Path(word).expanduser() for word in words if word):
        if path.is_file():
            yield path
        elif path.is_dir():
            for place, folders, files in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
                yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _on_threads(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Go over the results for all items, in their order."""
    left = iter(items)
    with ThreadPoolExecutor(_THREADS) as threads:
        while some := list(itertools.islice(left, _AT_ONCE)):
            yield from threads.map(function, some)


def _mark(file: Path) -> str:
    """Name, size and a digest of a sample of a file: they change with its content, and not when it is copied.

    An edit that keeps the size of a file of more than 64 KiB is seen if it touches one of eight blocks of 4 KiB.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        length = size if size <= _WHOLE else _BLOCK
        starts = [0] if size <= _WHOLE else [(size - _BLOCK) * k // (_BLOCKS - 1) for k in range(_BLOCKS)]
        digest = hashlib.sha256()
        for start in starts:
            stream.seek(start)
            digest.update(stream.read(length))
    return f"{file.name}:{size}:{digest.hexdigest()[:16]}"


def _whole(file: Path) -> str:
    """Name and digest of all bytes of a file of weights, of which one tensor may be trained anew and saved in place."""
    stat = file.stat()
    return f"{file.name}:{_sha256(file, stat.st_size, stat.st_mtime_ns, stat.st_ino)}"


@functools.lru_cache(_AT_ONCE)
def _sha256(file: Path, _size: int, _time: int, _inode: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
