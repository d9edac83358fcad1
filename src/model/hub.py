"""From the name of a checkpoint to files on disk, and from files to a network with every weight in place."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import pickle
import re
from collections.abc import Collection, Iterator, Sequence
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
from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging as transformers_logging

from src.core.errors import CheckpointError

RANDOM = "random"
"""In place of a hub id: build the architecture with seeded random weights."""

_WEIGHT_SUFFIXES = (".safetensors", ".bin")
_DESCRIPTIONS = ["*.json", "*.txt"]  # configurations and vocabularies
_SECONDS_TO_ANSWER = 5.0
_KEYS_SHOWN = 5


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


def load_network(network_class: type[Any], folder: Path, *, unused: Collection[str] = ()) -> nn.Module:
    """Build a network from a local folder by the `from_pretrained` of its class, in float32, with every key matched.

    Args:
        network_class: a transformers or diffusers model class.
        folder: holds its configuration and weights.
        unused: regular expressions of keys that may be missing or left over because no forward pass reads them.

    Raises:
        CheckpointError: if a file is unreadable, or keys are missing, left over or of another shape; lists them.
    """
    try:
        with _quiet_transformers():
            network, info = network_class.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError, pickle.UnpicklingError) as error:
        msg = f"{folder}: cannot be loaded as {network_class.__name__}: {error}"
        raise CheckpointError(msg) from error
    _require_all_keys(info, f"{folder}: does not fit {network_class.__name__}", unused)
    return network.float()  # type: ignore[no-any-return]  # half-precision files hold the same values


def _require_all_keys(info: dict[str, Any], problem: str, unused: Collection[str]) -> None:
    mismatched = {
        key: f"{key} {tuple(found)} instead of {tuple(wanted)}" for key, found, wanted in info["mismatched_keys"]
    }
    groups = {
        "missing": set(info["missing_keys"]) - mismatched.keys(),
        "unexpected": set(info["unexpected_keys"]),
        "of another shape": set(mismatched.values()),
    }
    found = []
    for name, keys in groups.items():
        relevant = sorted(key for key in keys if not any(re.search(pattern, key) for pattern in unused))
        if relevant:
            more = f" and {len(relevant) - _KEYS_SHOWN} more" if len(relevant) > _KEYS_SHOWN else ""
            found.append(f"{len(relevant)} keys {name}: {', '.join(relevant[:_KEYS_SHOWN])}{more}")
    if found or info["error_msgs"]:
        msg = f"{problem}: {'; '.join([*found, *info['error_msgs']])}"
        raise CheckpointError(msg)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence the table of missing keys, which `_require_all_keys` judges, and the progress bar."""
    verbosity, had_bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bar:
            transformers_logging.enable_progress_bar()


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
            "set model.revision"
        )
        raise CheckpointError(msg) from error
    except LocalEntryNotFoundError as error:
        pinned = f" --revision {revision}" if revision else ""
        msg = (
            f"checkpoint {weights} is not, or not completely, in the cache ({constants.HF_HUB_CACHE}) and the hub "
            f"cannot be reached; either download it where there is a network (`hf download {weights}{pinned}`) and bring the "
            "cache here, or set model.weights=<folder> to a local copy"
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
