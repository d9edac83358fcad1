"""From the files of a checkpoint to a network with every weight in place."""

import contextlib
import pickle
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from src.core.errors import CheckpointError

_KEYS_SHOWN = 5


def load_network(network_class: type[Any], folder: Path, *, unused: Collection[str] = (), **options: Any) -> nn.Module:
    """Build a network from a local folder by the `from_pretrained` of its class, in float32, with every key matched.

    Args:
        network_class: a transformers or diffusers model class.
        folder: holds its configuration and weights.
        unused: regular expressions of keys that may be missing or left over because no forward pass reads them.
        **options: further keywords of `from_pretrained`.

    Raises:
        CheckpointError: if a file is unreadable, or keys are missing, left over or of another shape; lists them.
    """
    return _from_pretrained(network_class, folder, unused, name=folder, **options)


def convert_network(
    network_class: type[Any], config: Any, state: Mapping[str, Tensor], *, source: Path, unused: Collection[str] = ()
) -> nn.Module:
    """Build a network from tensors under the names that they have on the hub, in float32, with every key matched.

    Args:
        network_class: a transformers model class.
        config: its configuration.
        state: tensors by the name they have in files on the hub, which is not always that of the running library.
        source: where they come from, for messages.
        unused: see `load_network`.

    Raises:
        CheckpointError: if keys are missing, left over or of another shape; lists them.
    """
    return _from_pretrained(network_class, None, unused, name=source, config=config, state_dict=dict(state))


def fill_network(
    network: nn.Module, state: Mapping[str, Tensor], *, source: Path, unused: Collection[str] = ()
) -> None:
    """Overwrite every parameter and buffer of a network in place.

    Args:
        network: with its weights in float32.
        state: tensors by the network's own names.
        source: where they come from, for messages.
        unused: see `load_network`.

    Raises:
        CheckpointError: if keys are missing, left over or of another shape; lists them.
    """
    own = network.state_dict()
    info = {
        "missing_keys": own.keys() - state.keys(),
        "unexpected_keys": state.keys() - own.keys(),
        "mismatched_keys": [
            (key, state[key].shape, own[key].shape)
            for key in own.keys() & state.keys()
            if state[key].shape != own[key].shape
        ],
        "error_msgs": [],
    }
    _require_all_keys(info, f"{source}: does not fit {type(network).__name__}", unused)
    network.load_state_dict(dict(state), strict=False)


def _from_pretrained(
    network_class: type[Any], folder: Path | None, unused: Collection[str], *, name: Path, **options: Any
) -> nn.Module:
    try:
        with _quiet_transformers():
            network, info = network_class.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True, **options
            )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError, pickle.UnpicklingError) as error:
        msg = (
            f"{name}: cannot be loaded as {network_class.__name__}: {error}; if its files are whole (compare their "
            "sizes with those on the hub; a pointer of Git LFS has some 130 bytes), it is of another kind"
        )
        raise CheckpointError(msg) from error
    _require_all_keys(info, f"{name}: does not fit {network_class.__name__}", unused)
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
