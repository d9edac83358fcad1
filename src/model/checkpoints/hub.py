"""From the name of a checkpoint to its files on disk."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError, of whatever library the client uses
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from src.core.errors import CheckpointError

RANDOM = "random"
"""In place of a hub id: build the architecture with seeded random weights."""

_WEIGHT_SUFFIXES = (".safetensors", ".bin")
_DESCRIPTIONS = ["*.json", "*.txt"]  # configurations and vocabularies
_SECONDS_TO_ANSWER = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Files of a checkpoint.

    Attributes:
        folder: holds the files in the layout of the hub.
        revision: commit on the hub, or "sha256:..." of the weights of a folder that is no snapshot of the hub.
    """

    folder: Path
    revision: str


def locate(
    weights: str, revision: str | None, *, index: str = "config.json", parts: Sequence[str] = ("",)
) -> Checkpoint:
    """Find a checkpoint in a local folder, in the cache of the hub, or on the hub, in this order.

    Args:
        weights: local folder or hub id (owner/name).
        revision: commit, tag or branch of a hub id; None for its main branch. Says nothing about a local folder.
        index: file that describes the checkpoint.
        parts: subfolders that must hold weights; "" is the folder itself.

    Raises:
        CheckpointError: if it cannot be found, fetched or is incomplete. Without a network this takes seconds.
    """
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        folder = _fetch(weights, revision, parts)
    missing = [index] * (not (folder / index).is_file()) + [
        f"{part}/*.safetensors".lstrip("/") for part in _without_weights(folder, parts)
    ]
    if missing:
        msg = f"checkpoint {weights}: expected {index} and weights in {folder}, but there is no {', no '.join(missing)}"
        raise CheckpointError(msg)
    return Checkpoint(folder=folder, revision=_revision_of(folder, parts))


def read_index(checkpoint: Checkpoint, index: str = "config.json") -> dict[str, Any]:
    """Read the file that describes a checkpoint.

    Raises:
        CheckpointError: if it is not a JSON object.
    """
    path = checkpoint.folder / index
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: expected JSON: {error}"
        raise CheckpointError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: expected a JSON object, got {type(content).__name__}"
        raise CheckpointError(msg)
    return content


def _fetch(weights: str, revision: str | None, parts: Sequence[str]) -> Path:
    """Return the snapshot folder of a hub id, downloading what the cache lacks."""
    try:
        return _snapshot(weights, revision, parts)
    except HFValidationError as error:
        msg = f"model.weights={weights}: expected an existing folder, a hub id (owner/name) or `{RANDOM}`"
        raise CheckpointError(msg) from error
    except GatedRepoError as error:
        msg = (
            f"checkpoint {weights} is gated: ask for access at https://huggingface.co/{weights} and log in with "
            "`hf auth login`, or set model.weights=<folder> to a local copy"
        )
        raise CheckpointError(msg) from error
    except RepositoryNotFoundError as error:
        msg = (
            f"checkpoint {weights}: the hub has none of this name, or it is private and you are not logged in; "
            "check model.weights, which is a hub id (owner/name) or a local folder"
        )
        raise CheckpointError(msg) from error
    except RevisionNotFoundError as error:
        msg = (
            f"checkpoint {weights} has no revision {revision}; see https://huggingface.co/{weights}/commits/main and "
            "set model.revision, to null for its main branch"
        )
        raise CheckpointError(msg) from error
    except LocalEntryNotFoundError as error:
        pinned = f" --revision {revision}" if revision else ""
        foreign = "; with weights of another id than the model's own, set model.revision=null" if revision else ""
        msg = (
            f"checkpoint {weights} is not, or not completely, in the cache ({constants.HF_HUB_CACHE}) and the hub "
            f"cannot be reached; either download it where there is a network (`hf download {weights}{pinned}`) and "
            f"bring the cache here, or set model.weights=<folder> to a local copy{foreign}"
        )
        raise CheckpointError(msg) from error
    except (HTTPError, OSError) as error:
        msg = f"checkpoint {weights} cannot be downloaded: {error}; set model.weights=<folder> to a local copy"
        raise CheckpointError(msg) from error


def _snapshot(weights: str, revision: str | None, parts: Sequence[str]) -> Path:
    # with the weights among the patterns, a snapshot that lacks another format of them would count as incomplete
    cached = functools.partial(
        snapshot_download, weights, revision=revision, local_files_only=True, allow_patterns=_DESCRIPTIONS
    )
    if re.fullmatch("[0-9a-f]{40}", revision or ""):  # a commit never changes, a branch may
        with contextlib.suppress(LocalEntryNotFoundError):
            folder = Path(cached())
            if not _without_weights(folder, parts):
                return folder
    if not _is_reachable(weights, revision):
        folder = Path(cached())
        if _without_weights(folder, parts):
            msg = f"{folder} holds no weights"
            raise LocalEntryNotFoundError(msg)
        return folder
    for suffix in _WEIGHT_SUFFIXES:
        folder = Path(
            snapshot_download(
                weights,
                revision=revision,
                allow_patterns=[*_DESCRIPTIONS, f"*{suffix}"],
                ignore_patterns=[f"*.fp16{suffix}", f"*.non_ema{suffix}"],
            )
        )
        if not _without_weights(folder, parts):
            break
    return folder


def _is_reachable(weights: str, revision: str | None) -> bool:
    """Ask the hub once, where a download would retry for half a minute; raises what the hub objects to."""
    try:
        HfApi().model_info(weights, revision=revision, timeout=_SECONDS_TO_ANSWER)
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return False
    except (HTTPError, OSError):
        return False
    return True


def _without_weights(folder: Path, parts: Sequence[str]) -> list[str]:
    return [part for part in parts if not _weight_files(folder / part)]


def _weight_files(folder: Path) -> list[Path]:
    return sorted(path for suffix in _WEIGHT_SUFFIXES for path in folder.glob(f"*{suffix}"))


def _revision_of(folder: Path, parts: Sequence[str]) -> str:
    """Return the commit that names a snapshot folder, or a hash of the weights."""
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for part in parts:
        for path in _weight_files(folder / part):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"
