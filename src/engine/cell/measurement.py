"""What a cell measures, as opposed to how it is computed; its hash names the cell's folder."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.records.fingerprint import fingerprint

_MEASURED = ("model", "data", "protocol", "resolution", "seed", "limit")
_PREDICTED = ("model", "images", "resolution", "seed", "intrinsics", "field_of_view")
_COMPUTE = {"precision": "float32", "attention": "default", "channels_last": False, "compile": False}
_PROSE = ("source", "traps")  # of protocols: words about a number, not part of it


def measurement(cfg: DictConfig) -> dict[str, Any]:
    """Return the parts of the configuration of an evaluation, or of a prediction, that can change a number.

    Interpolations stay as written: `${paths.data_dir}/nyu` names the same data on every machine. Trainer, logger,
    batch size and paths are left out, so more devices or another disk lead to the same folder.
    """
    evaluates = "protocol" in cfg
    measured = {key: _plain(cfg._get_node(key)) for key in (_MEASURED if evaluates else _PREDICTED)}
    if evaluates and cfg.corruption != "none":  # clean images are what they were before corruptions existed
        measured |= {key: _plain(cfg._get_node(key)) for key in ("corruption", "severity")}
    measured |= compute_settings(cfg)
    for protocol in measured.get("protocol", {}).values():
        for prose in _PROSE:
            protocol.pop(prose, None)
    return measured


def prediction(cfg: DictConfig) -> dict[str, Any]:
    """Return the part of an evaluation's `measurement` that what the model predicts for an image depends on."""
    return {key: value for key, value in measurement(cfg).items() if key not in ("protocol", "limit")}


def compute_settings(cfg: DictConfig) -> dict[str, Any]:
    """Return how the network computes, where it is not as by default: {} is what all cells before had."""
    return {key: cfg[key] for key, default in _COMPUTE.items() if cfg[key] != default}


def in_default_arithmetic(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved measurement as it would be if its network computed as by default, in float32."""
    plain = {key: value for key, value in measured.items() if key not in _COMPUTE}
    if "dtype" in plain["model"]:  # of Marigold, which has a setting of its own
        plain["model"] = {**plain["model"], "dtype": "float32"}
    return plain


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()


def register_resolvers() -> None:
    """Make `${fingerprint:}` available to the configuration; safe to call again."""
    OmegaConf.register_new_resolver(
        "fingerprint", lambda *, _root_: fingerprint(measurement(_root_)), replace=True, use_cache=False
    )
