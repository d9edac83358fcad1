"""The shipped protocols by name, without hydra: what a notebook scores arrays under."""

import difflib
import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from src.core.errors import ConfigError, LeadlineError
from src.core.shipped import CONF
from src.protocol.evaluation import EvalProtocol


def protocol_names(folder: Path = CONF / "protocol") -> tuple[str, ...]:
    """Return the names of the shipped protocols, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


@functools.cache
def protocol_named(name: str, folder: Path = CONF / "protocol") -> EvalProtocol:
    """Return a shipped protocol; the same object at every call, since protocols keep nothing.

    Raises:
        ConfigError: if there is none of that name; the message names those that are alike.
    """
    known = protocol_names(folder)
    if name not in known:
        alike = difflib.get_close_matches(str(name), known, n=3)
        near = f"; did you mean {' or '.join(alike)}?" if alike else ""
        msg = f"unknown protocol {name!r}: expected one of {', '.join(known)}{near}"
        raise ConfigError(msg)
    content = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    protocol: EvalProtocol = _built(content[name], f"protocol {name}")
    return protocol


def _built(node: Any, what: str) -> Any:
    """Make what a node of a configuration describes: its `_target_` with the other keys, or its plain value."""
    if isinstance(node, list):
        return [_built(inner, what) for inner in node]
    if not isinstance(node, Mapping):
        return node
    keys = {key: _built(value, what) for key, value in node.items() if key != "_target_"}
    if "_target_" not in node:
        return keys
    module, _, name = node["_target_"].rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)(**keys)
    except LeadlineError:
        raise
    except (ImportError, AttributeError, TypeError) as error:
        msg = f"{what}: cannot be built from its configuration: {error}"
        raise ConfigError(msg) from error
