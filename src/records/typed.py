"""Plain values of a file -> a dataclass, if they are of the types that it declares."""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_LARGEST: Final = 2**63 - 1  # what the files of others, and numpy, can hold
_LARGEST_FLOAT: Final = 1e300


def build(kind: type[_T], content: Any) -> _T:
    """Make a dataclass of JSON's values; lists become tuples where those are declared.

    Numbers are finite, whole ones of 64 bits at most; a whole number is as good as a float, a bool is no number.

    Raises:
        ValueError: if a field is missing, unknown or of another type; the message names it.
    """
    made: _T = _value(kind, content, "")
    return made


def _value(kind: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, name)
    if kind is Any:
        return _any(value, name)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        rest = [one for one in inner if one is not type(None)]
        return None if value is None and len(rest) < len(inner) else _value(rest[0], value, name)
    if origin in (dict, list, tuple) and isinstance(value, dict if origin is dict else list):
        return _container(origin, inner, value, name)
    if (origin is typing.Literal and isinstance(value, str) and value in inner) or _is_plain(kind, value):
        return value
    return _refuse(name, value, kind)


def _container(origin: Any, inner: tuple[Any, ...], value: Any, name: str) -> Any:
    if origin is dict:
        return {key: _value(inner[1], one, f"{name}.{key}") for key, one in value.items()}
    kinds = inner if origin is tuple and inner[-1] is not Ellipsis else (inner[0],) * len(value)
    if len(kinds) != len(value):
        _refuse(name, value, origin[inner])
    return origin(_value(one, item, name) for one, item in zip(kinds, value, strict=True))


def _is_plain(kind: Any, value: Any) -> bool:
    if kind is float:
        return type(value) in (int, float) and abs(value) <= _LARGEST_FLOAT and math.isfinite(value)
    if kind is int:
        return type(value) is int and abs(value) <= _LARGEST
    return kind in (str, bool) and type(value) is kind


def _refuse(name: str, value: Any, kind: Any) -> typing.NoReturn:
    msg = f"{name or 'the whole'} is {_shown(value)}, expected {_named(kind)}"
    raise ValueError(msg)


def _any(value: Any, name: str) -> Any:
    """Whatever it is, with numbers that can be worked with."""
    if isinstance(value, dict):
        return {key: _any(one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_any(one, name) for one in value]
    return _value(type(value), value, name) if isinstance(value, int | float) else value


def _dataclass(kind: Any, value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        _refuse(name, value, dict)
    hints, fields = _hints(kind), {field.name: field for field in dataclasses.fields(kind)}
    missing = [one for one, field in fields.items() if one not in value and _is_required(field)]
    unknown = sorted(value.keys() - fields.keys())
    if missing or unknown:
        wrong = f"{missing[0]} is missing" if missing else f"{unknown[0]!r} is unknown"
        msg = f"{name}: {wrong}" if name else wrong
        raise ValueError(msg)
    return kind(**{key: _value(hints[key], one, f"{name}.{key}".lstrip(".")) for key, one in value.items()})


@functools.cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")


def _shown(value: Any) -> str:
    text = type(value).__name__ if isinstance(value, dict | list) else repr(value) if _is_short(value) else "too large"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_short(value: Any) -> bool:
    # the digits of a huge number cannot even be shown
    return not isinstance(value, int) or abs(value) < 10**40
