"""Keys stay out of configurations, which are written beside the results and shown to everybody."""

from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.core.errors import ConfigError
from src.core.secrets import secret_in

_EMPTY = ("", "null", "none", "true", "false", "''", '""', "[]", "{}")


class Refused(BaseException):
    """Carries a ConfigError out of hydra's callbacks, which make a warning of every Exception."""


def refuse_secrets(cfg: DictConfig, *, resolve: bool = True) -> None:
    """Refuse a configuration that holds a key, before anything of it is written or sent.

    A key is the value of a setting that is named like one, a login or a signature in an address, what follows Bearer, a
    token of a known service, or what a variable of the environment named like a key holds.

    Args:
        cfg: the configuration.
        resolve: whether to look at what interpolations stand for, too.

    Raises:
        ConfigError: names the setting, never its value.
    """
    for setting, text in _texts(OmegaConf.to_container(cfg, resolve=resolve)):
        _refuse(setting, text)


def refuse_secret_words(words: Sequence[str]) -> None:
    """Refuse a command line that holds a key, before hydra prints it and writes it down.

    Raises:
        ConfigError: names the setting, never its value.
    """
    for word in words:
        key, separator, value = word.partition("=")
        if separator and not key.startswith("-"):
            _refuse(key.lstrip("+~"), value)
        else:
            _refuse("the command line", word, named=False)


def _refuse(setting: str, text: str, *, named: bool = True) -> None:
    what = secret_in(text, setting if named else "") if text.strip().lower() not in _EMPTY else ""
    if what:
        instead = "download the file and give its path" if "address" in what else "leave it out"
        # the name of a setting may hold one too
        shown = setting if not secret_in(setting) else "a setting"
        msg = (
            f"{shown} holds {what}, and configurations are kept beside the results for all to read: {instead}; Weights "
            "& Biases reads WANDB_API_KEY or ~/.netrc, the Hugging Face hub HF_TOKEN or `hf auth login`"
        )
        raise ConfigError(msg)


def _texts(value: Any, setting: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text and number of a configuration with the name of its setting."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{setting}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, setting)
    elif value is not None and not isinstance(value, bool):
        yield setting, str(value)
