"""Rules for the keys of a configuration: which values each may have, and what is said of any other."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from src.core.errors import ConfigError

Settings = TypeVar("Settings")

_META = "rule"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a key may be.

    Attributes:
        says: it in words, for messages.
        admits: whether a value, as the configuration holds it, is one. True and false are no numbers.
        taken: it as the settings hold it.
    """

    says: str
    admits: Callable[[Any], bool]
    taken: Callable[[Any], Any] = lambda value: value

    def __or__(self, other: "Rule") -> "Rule":
        """Return the rule that admits what either admits."""
        return Rule(
            says=f"{self.says.replace(' or ', ', ')}{', ' if ' or ' in other.says else ' or '}{other.says}",
            admits=lambda value: self.admits(value) or other.admits(value),
            taken=lambda value: (self if self.admits(value) else other).taken(value),
        )


FLAG = Rule(says="true or false", admits=lambda value: isinstance(value, bool))
NOTHING = Rule(says="null", admits=lambda value: value is None)
TEXT = Rule(says="a text", admits=lambda value: isinstance(value, str) and bool(value.strip()))


def whole(least: int) -> Rule:
    """Admit whole numbers from `least` on."""
    return Rule(
        says=f"a whole number >= {least}",
        admits=lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least,
    )


def number(above: float, below: float = math.inf, *, inclusive: bool = True) -> Rule:
    """Admit finite numbers from `above` (itself too if inclusive) to below `below`."""
    bounds = f"{'>=' if inclusive else 'above'} {above:g}" + (f" and below {below:g}" if below < math.inf else "")

    def admits(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return is_number and (above <= value if inclusive else above < value) and value < below

    return Rule(says=f"a number {bounds}", admits=admits, taken=float)


def one_of(*words: str) -> Rule:
    """Admit these words."""
    listed = f"one of {', '.join(words)}" if len(words) > 2 else " or ".join(words)
    return Rule(says=listed, admits=lambda value: isinstance(value, str) and value in words)


def some_of(*words: str) -> Rule:
    """Admit lists of these words with one at least."""
    return Rule(
        says=f"some of {', '.join(words)}",
        admits=lambda value: isinstance(value, list) and bool(value) and all(word in words for word in value),
    )


def numbers(count: int) -> Rule:
    """Admit lists of so many finite numbers."""
    one = number(-math.inf)
    return Rule(
        says=f"a list of {count} numbers",
        admits=lambda value: isinstance(value, list) and len(value) == count and all(map(one.admits, value)),
        taken=lambda value: [float(one) for one in value],
    )


def key(rule: Rule, example: Any) -> Any:
    """Declare a field of a settings class: what it may be, and a value that is shown where it is not."""
    return dataclasses.field(metadata={_META: (rule, example)})


def read(kind: type[Settings], values: Mapping[str, Any], **more: Any) -> Settings:
    """Fill a settings class from a configuration.

    Args:
        kind: dataclass whose fields are declared by `key`, but for those in `more`.
        values: plain values, by key; others than the fields of the class are left alone.
        **more: further fields, as they are.

    Raises:
        ConfigError: names the first key that is missing or may not be what it is, its value, what it may be, and what
            to type.
    """
    read_values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # a dataclass
        if _META not in field.metadata:
            continue
        rule, example = field.metadata[_META]
        if field.name not in values or not rule.admits(values[field.name]):
            value = values.get(field.name)
            got = repr(value) if isinstance(value, str) else shown(value) if field.name in values else "nothing"
            msg = f"{field.name}: expected {rule.says}, got {got}; type {field.name}={shown(example)}, say"
            raise ConfigError(msg)
        read_values[field.name] = rule.taken(values[field.name])
    return kind(**read_values, **more)


def shown(value: Any) -> str:
    """Return a value as it is typed on the command line.

    >>> shown(None), shown(True), shown(["npy", "ply"]), shown(1.5)
    ('null', 'true', '[npy,ply]', '1.5')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"[{','.join(map(shown, value))}]" if isinstance(value, list) else str(value)
