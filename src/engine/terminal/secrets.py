"""Keys stay out of configurations, which are written beside the results and shown to everybody."""

import os
import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.core.errors import ConfigError

# not every key: depth_key names an array of a file
_SECRET_NAME = re.compile(r"(^|_)((api|access|private|secret)_?key|token|secret|password)$", re.IGNORECASE)
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{30,}")
_SHORTEST = 8  # a shorter value of the environment may be part of an ordinary word


def refuse_secrets(cfg: DictConfig) -> None:
    """Refuse a configuration that holds a key, before anything of it is written or sent.

    A key is the value of a setting that is named like one, a token of the Hugging Face hub, or what a variable of the
    environment named like a key holds.

    Raises:
        ConfigError: names the setting, never its value.
    """
    known = {name: value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
    for setting, text in _texts(OmegaConf.to_container(cfg, resolve=True)):
        name = next((name for name, value in known.items() if value in text), "")
        if name or _HUB_TOKEN.search(text) or (text and _SECRET_NAME.search(setting.rpartition(".")[2])):
            msg = (
                f"{setting} holds {f'the value of {name}' if name else 'a key'}, and configurations are kept beside "
                "the results for all to read: leave it out; Weights & Biases reads WANDB_API_KEY or ~/.netrc, the "
                "Hugging Face hub HF_TOKEN or `hf auth login`"
            )
            raise ConfigError(msg)


def _texts(value: Any, setting: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a configuration with the name of its setting."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{setting}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, setting)
    elif isinstance(value, str):
        yield setting, value
