"""The words of a command line before hydra reads them: put in order, and refused where hydra would misread them."""

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from src.core.errors import ConfigError

MULTIRUN: Final = frozenset({"-m", "--multirun"})
_WITH_VALUE: Final = frozenset(
    {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}
    | {"--experimental-rerun"}
)
_FOLDERS: Final = ("paths.", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "cache")


def in_order(arguments: Sequence[str]) -> list[str]:
    """Return the words with all options before all overrides, which hydra wants and people do not think of.

    >>> in_order(["model=ramp", "-m", "data=sample", "--config-dir", "mine"])
    ['-m', '--config-dir', 'mine', 'model=ramp', 'data=sample']
    """
    options: list[str] = []
    overrides: list[str] = []
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            overrides.append(word)
            continue
        options.append(word)
        if word in _WITH_VALUE:
            options.extend([next(words, "")])
    return [*options, *overrides]


def check(arguments: Sequence[str], conf: Path, program: str) -> None:
    """Refuse words that hydra would misread, or answer in its own terms.

    Args:
        arguments: of the command line, without the program.
        conf: folder of the configuration.
        program: what is typed to call it, such as "python -m src.eval".

    Raises:
        ConfigError: in one line that says what to type.
    """
    overrides = [word for word in in_order(arguments) if "=" in word and not word.startswith("-")]
    bare = [word for word in in_order(arguments)[_options(arguments) :] if "=" not in word and not word.startswith("~")]
    if bare:
        before = next((word for word in overrides if arguments.index(word) == arguments.index(bare[0]) - 1), "")
        whole = f"; a value with blanks is quoted twice: {_quoted(f'{before} {bare[0]}')}" if before else ""
        msg = f"{bare[0]}: expected key=value or an option, got neither{whole}"
        raise ConfigError(msg)
    for word in overrides:
        _check_value(word)
    _check_experiment(overrides, arguments, conf, program)


def _options(arguments: Sequence[str]) -> int:
    """How many of the words in order belong to options."""
    flags = [word for word in arguments if word.startswith("-")]
    return len(flags) + sum(word in _WITH_VALUE for word in flags)


def _check_value(word: str) -> None:
    key, _, value = word.partition("=")
    name = key.lstrip("+")
    if not value.strip("'\" ") and name.startswith(_FOLDERS):
        msg = (
            f"{name}: expected a folder, got nothing, which would be the root of this machine: is a variable not set? "
            f"type {name}=<folder>"
        )
        raise ConfigError(msg)
    try:
        OverridesParser.create().parse_override(word)
    except HydraException as error:
        if not re.search(r"[=~\s(){}\[\],:;#%&|<>!?*\\]", value):
            return  # hydra says it better
        typed = _quoted(f"{key}={Path(value).expanduser()}" if value.startswith("~/") else word)
        msg = f"{name}: hydra cannot read the value {value}; type {typed}"
        raise ConfigError(msg) from error


def _quoted(word: str) -> str:
    """Spell an override so that shell and hydra both leave its value alone."""
    key, _, value = word.partition("=")
    inner = value.strip("'\"").replace('"', '\\"')
    return shlex.quote(f'{key}="{inner}"')


def _check_experiment(overrides: Sequence[str], arguments: Sequence[str], conf: Path, program: str) -> None:
    """Say that an experiment that is a sweep needs the word for it."""
    names = [word.partition("=")[2] for word in overrides if word.lstrip("+").startswith("experiment=")]
    if not names or MULTIRUN & set(arguments):
        return
    file = conf / "experiment" / f"{names[-1]}.yaml"
    if not file.is_file():
        return
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    if content.get("hydra", {}).get("sweeper", {}).get("params"):
        msg = f"experiment={names[-1]} is a sweep of several cells: add -m, as in {program} -m {shlex.join(overrides)}"
        raise ConfigError(msg)


def near(wanted: str, known: Sequence[str]) -> str:
    """Name what is alike, for the end of a message; "" where nothing is."""
    alike = difflib.get_close_matches(wanted, list(known), n=3)
    return f"; did you mean {' or '.join(alike)}?" if alike else ""
