"""What a cell measures, as opposed to how it is run; its hash names the cell's folder."""

import types
from collections.abc import Mapping
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from src.records.fingerprint import fingerprint

_MEASURED: Final = ("model", "data", "protocol", "resolution", "seed", "limit", "corruption", "severity")
_PREDICTED: Final = ("model", "images", "resolution", "seed", "intrinsics", "field_of_view")
_PROSE: Final = ("source", "traps")  # of protocols: words about a number, not part of it

ARITHMETIC: Final[Mapping[str, Any]] = types.MappingProxyType(
    {"precision": "float32", "attention": "default", "channels_last": False, "compile": False, "runtime": "torch"}
)
"""Settings of how the network computes, and what is measured where nothing else is said."""

_LATER: Final[Mapping[str, Any]] = types.MappingProxyType(
    {**ARITHMETIC, "corruption": "none", "model.vae_slicing": False}
)
"""Keys that came after the first results, with the value that means what was done before there was the key.

A key of this value is left out of what is hashed, so that folders keep their names: every new key of a configuration
whose default changes no number belongs here.
"""

_RENAMED: Final[Mapping[str, str]] = types.MappingProxyType({})
"""Classes of ours that a `_target_` names and that were called otherwise: name of now -> first name."""

_OURS: Final = "src."


def measurement(cfg: DictConfig) -> dict[str, Any]:
    """Return the parts of the configuration of an evaluation, or of a prediction, that can change a number.

    Interpolations stay as written: `${paths.data_dir}/nyu` names the same data on every machine. Trainer, logger,
    batch size and paths are left out, so more devices or another disk lead to the same folder. Classes of this package
    go by their name without their module, so that files may move; others by their dotted name.
    """
    evaluates = "protocol" in cfg
    keys = [*(_MEASURED if evaluates else _PREDICTED), *ARITHMETIC]
    measured: dict[str, Any] = {key: _meaning(_plain(cfg._get_node(key))) for key in keys}
    if measured.get("corruption") == "none":
        del measured["severity"]  # of nothing
    for dotted, default in _LATER.items():
        _leave_out(measured, dotted, default)
    for protocol in measured.get("protocol", {}).values():
        for prose in _PROSE:
            protocol.pop(prose, None)
    return measured


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """Return the same parts as `measurement`, with the values that interpolations come to on this machine."""
    values: Any = OmegaConf.to_container(cfg, resolve=True)  # as a whole: interpolations reach outside of a part
    return {key: _meaning(values[key]) for key in measurement(cfg)}


def prediction(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a measurement that what the model predicts for an image depends on."""
    return {key: value for key, value in measured.items() if key not in ("protocol", "limit")}


def arithmetic(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the network computes, where it is not as by default."""
    return {key: measured[key] for key in ARITHMETIC if key in measured}


def in_default_arithmetic(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved measurement as it would be if its network computed as by default, in float32."""
    plain = {key: value for key, value in measured.items() if key not in ARITHMETIC}
    if "dtype" in plain["model"]:  # of Marigold, which has a setting of its own
        plain["model"] = {**plain["model"], "dtype": "float32"}
    return plain


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in which settings two resolved measurements differ, key by key.

    >>> differences({"model": {"steps": 1}, "seed": 0}, {"model": {"steps": 4}, "seed": 0})
    ['model.steps: 1 -> 4']
    """
    then, here = _flat(before), _flat(now)
    return [f"{key}: {then.get(key)} -> {here.get(key)}" for key in then | here if then.get(key) != here.get(key)]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()


def _meaning(value: Any) -> Any:
    """Name classes by what they are, not by where their file lies."""
    if isinstance(value, list):
        return [_meaning(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    meant = {key: _meaning(inner) for key, inner in value.items()}
    target = value.get("_target_")
    if isinstance(target, str) and target.startswith(_OURS):
        name = target.rpartition(".")[2]
        meant["_target_"] = _RENAMED.get(name, name)
    return meant


def _leave_out(measured: dict[str, Any], dotted: str, default: Any) -> None:
    """Remove a key that has its default."""
    group, _, name = dotted.rpartition(".")
    holder = measured.get(group) if group else measured
    if isinstance(holder, dict) and name in holder and holder[name] == default and type(holder[name]) is type(default):
        del holder[name]


def register_resolvers() -> None:
    """Make `${fingerprint:}` available to the configuration; safe to call again."""
    OmegaConf.register_new_resolver(
        "fingerprint", lambda *, _root_: fingerprint(measurement(_root_)), replace=True, use_cache=False
    )
