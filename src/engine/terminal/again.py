"""Commands that run a cell again, from what its folder says, which anybody may have written."""

import re
import shlex
from typing import Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from src.core.errors import ConfigError
from src.core.shown import escaped

_OVERRIDE = re.compile(r"(?:~|\+{1,2})?(?P<key>[A-Za-z_][\w./@-]*)(?P<value>=.*)?")
_NAMES_CODE: Final = frozenset(
    ("_target_", "factory", "repository", "call", "allow_code", "allow_pickle", "remote_code")
)


def command_again(program: str, said: str) -> str:
    """Return the command of a cell, quoted word by word for a shell.

    Args:
        program: what the words are given to, such as "python -m src.eval".
        said: words of the cell, quoted for a shell.

    Raises:
        ConfigError: if this program cannot have written them.
    """
    try:
        words = shlex.split(said)
    except ValueError as error:
        msg = f"words that no shell can read ({error})"
        raise ConfigError(msg) from error
    for word in words:
        _check(word)
    return shlex.join([*program.split(), *words])


def names_code(command: str) -> list[str]:
    """Return the words of a command that say which code is to run.

    >>> names_code("python -m src.eval model=callable model.factory=os:system")
    ['model.factory=os:system']
    """
    return [word for word in shlex.split(command) if _NAMES_CODE & set(_keys(word))]


def _keys(word: str) -> list[str]:
    """The parts of the key that a word sets, and the keys of its value where that is a mapping."""
    key, _, value = word.partition("=")
    return [*re.split(r"[.+~]", key), *re.findall(r"(\w+)['\"]?\s*:", value)]


def _check(word: str) -> None:
    match = _OVERRIDE.fullmatch(word)
    ends = match is not None and (match["value"] is not None or word.startswith("~"))
    if match is None or not ends or escaped(word) != word:
        msg = f"{escaped(word)!r}, which sets no key"
        raise ConfigError(msg)
    if match["key"].startswith(("hydra.", "hydra/")):
        msg = f"{word!r}, a setting of hydra, which is not kept with a cell"
        raise ConfigError(msg)
    try:
        OverridesParser.create().parse_override(word)
    except HydraException as error:
        msg = f"{word!r}, which hydra cannot read"
        raise ConfigError(msg) from error
