"""From the files of a checkpoint to a network with every weight in place."""

import contextlib
import pickle
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn
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
    try:
        with _quiet_transformers():
            network, info = network_class.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True, **options
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
