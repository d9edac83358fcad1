"""The cards of the configured models, read without hydra or torch, so that a list of them costs no second."""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from src.core.errors import ConfigError
from src.records.card import ModelCard, parse_card

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def model_names(conf: Path) -> list[str]:
    """Return the words that `model=` takes."""
    return sorted(path.stem for path in (conf / "model").glob("*.yaml"))


def read_card(conf: Path, name: str) -> ModelCard | None:
    """Return the card of a model, or None if it has none: baselines, and adapters to what only their user knows.

    Args:
        conf: folder of the configuration.
        name: of the model.

    Raises:
        ConfigError: if there is no such model (the message names those that are alike), or its card is damaged.
    """
    names = model_names(conf)
    if name not in names:
        alike = difflib.get_close_matches(name, names, n=3)
        near = f"; did you mean {' or '.join(alike)}?" if alike else ""
        msg = f"unknown model {name!r}: expected one of {', '.join(names)}{near}"
        raise ConfigError(msg)
    path = conf / "card" / f"{name}.yaml"
    return parse_card(_content(path), of=name) if path.is_file() else None


def read_weights(conf: Path, name: str) -> str:
    """Return where the weights of a model come from, and whether they are tied to a commit; "" if it has none."""
    settings = _content(conf / "model" / f"{name}.yaml")
    weights, revision = settings.get("weights", ""), settings.get("revision")
    if not _HUB_ID.fullmatch(weights):
        return str(weights).replace("???", "to be given")
    return f"{weights}, {f'commit {revision}' if revision else 'main branch: no commit is pinned'}"


def headline(conf: Path, name: str) -> str:
    """Return what the first line of a model's file says about it."""
    with (conf / "model" / f"{name}.yaml").open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def _content(path: Path) -> dict[str, Any]:
    """Read a file over those it names in its `defaults`, as hydra composes them in a run; groups are replaced whole."""
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    merged: dict[str, Any] = {}
    for name in own.pop("defaults", ["_self_"]):
        merged |= own if name == "_self_" else _content(path.with_name(f"{name}.yaml"))
    return merged
