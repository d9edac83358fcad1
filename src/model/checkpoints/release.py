"""Checkpoints as their authors released them: one file of named tensors, `.pt` or `.pth`."""

import hashlib
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import torch
from torch import Tensor

from src.core.errors import CheckpointError

log = logging.getLogger(__name__)

_SUFFIXES = (".pt", ".pth")
_DIGEST = re.compile(r"-([0-9a-f]{8,})\.")  # how file names on GitHub carry the start of their SHA-256


def is_release(weights: str) -> bool:
    """Whether weights are named as a file or its address, not as a folder or hub id.

    >>> is_release("dpt_large_384.pt"), is_release("https://host/a.pth"), is_release("Intel/dpt-large")
    (True, True, False)
    """
    path = Path(weights).expanduser()
    return weights.startswith("https://") or path.is_file() or (path.suffix in _SUFFIXES and not path.is_dir())


def locate_release(weights: str) -> Path:
    """Find a released file on disk, or fetch it once into the cache of torch.hub.

    There it lies in a folder of its address, since two releases may call their files alike, unless its name tells its
    content.

    Raises:
        CheckpointError: if it is not there, or cannot be fetched whole.
    """
    if not weights.startswith("https://"):
        path = Path(weights).expanduser()
        if not path.is_file():
            msg = f"model.weights={weights}: expected a released file of weights, but there is none; check the path"
            raise CheckpointError(msg)
        return path
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(weights).path).name
    digest = _DIGEST.search(path.name)
    if digest is None:
        path = path.parent / hashlib.sha256(weights.encode()).hexdigest()[:16] / path.name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(weights, str(path), digest[1] if digest else None, progress=False)
        except (URLError, OSError, RuntimeError) as error:
            msg = (
                f"checkpoint {weights} cannot be downloaded: {error}; download it where there is a network and "
                f"put it at {path}, or set model.weights=<file>"
            )
            raise CheckpointError(msg) from error
    return path


def read_release(path: Path, *, allow_pickle: bool) -> dict[str, Tensor]:
    """Read the tensors of a released file, without executing anything in it unless that is allowed.

    Files that also hold the state of training keep the network under "model" or "state_dict".

    Args:
        path: of the file.
        allow_pickle: whether a file that holds more than tensors and plain values may run the code that it asks for.

    Raises:
        CheckpointError: if it is damaged, holds something else, or asks for code that may not run.
    """
    try:
        _refuse_stand_in(path)
        content = _load(path, allow_pickle)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        msg = f"{path}: cannot be read as a file of weights: {error}; if it is not whole, download it again"
        raise CheckpointError(msg) from error
    state = content.get("model", content.get("state_dict", content)) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        msg = f"{path}: expected named tensors, got {type(content).__name__} of something else"
        raise CheckpointError(msg)
    return dict(state)


def _refuse_stand_in(path: Path) -> None:
    """Refuse what is often found in the place of a file of weights, before advice is given that fits weights only.

    Raises:
        CheckpointError: says what it is, and what to do.
    """
    with path.open("rb") as file:
        head = file.read(64).lstrip()
    if head.startswith(b"version https://git-lfs"):
        msg = (
            f"{path}: it is a pointer of Git LFS in place of the file; run `git lfs pull` in its folder, or download it"
        )
        raise CheckpointError(msg)
    if head.startswith(b"<"):
        msg = f"{path}: it is a web page in place of the file; download it again"
        raise CheckpointError(msg)


def _load(path: Path, allow_pickle: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error):  # damaged, not refused
            raise
        if not allow_pickle:
            msg = (
                f"{path}: cannot be read as a file of weights: it holds more than tensors and asks to run code; if you "
                "trust its origin, set model.allow_pickle=true"
            )
            raise CheckpointError(msg) from error
    log.warning("%s may run code of its own while it is read, since model.allow_pickle=true", path)
    return torch.load(path, map_location="cpu", weights_only=False)


def digest_of(path: Path) -> str:
    """Return what identifies a file, "sha256:..."."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
