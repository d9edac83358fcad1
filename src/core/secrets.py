"""Keys and passwords in text: where they are, and the text without them, for everything that is written or shown."""

import functools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

_SHORTEST: Final = 8  # a shorter value of the environment may be part of an ordinary word
_ALONE: Final = frozenset(
    (
        *("token", "secret", "password", "passwd", "passphrase", "passcode", "pwd", "pat", "apikey", "credential"),
        *("authorization", "bearer", "auth", "cookie"),
    )
)
_BEFORE_KEY: Final = frozenset(
    ("api", "access", "private", "secret", "auth", "account", "signing", "encryption", "ssh", "client", "master")
)
_COUNTS: Final = frozenset(("max", "min", "num", "n", "number", "count", "pad", "mask", "vocab"))
"""What makes tokens those of a language model."""
_PLACES: Final = frozenset(("path", "file", "dir", "folder", "sock"))
_PLAIN_QUERY: Final = frozenset(
    (
        *("download", "dl", "raw", "inline", "ref", "rev", "revision", "version", "v", "id", "file", "path", "name"),
        *("format", "export", "confirm", "usp"),
    )
)
"""Parameters of an address that choose a file and let nobody in."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TOKENS = (
    r"\b(?:hf_[A-Za-z0-9]{30,}|gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|sk-[\w-]{20,}"
    r"|xox[abprs]-[\w-]{10,}|A[KS]IA[A-Z0-9]{16}\b|wandb_v1_\w{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
)
_FOUND = re.compile(
    rf"(?P<token>{_TOKENS})"
    r"|(?<=://)(?P<login>[^\s/?#@'\"<>]+(?=@))"
    r"|(?<=[?&#])(?P<parameter>[^\s=?&#;'\"<>/]+)=(?P<argument>[^\s&#;'\"<>]*)"
    r"|(?P<scheme>\b(?:[Bb]earer|[Bb]asic|BEARER|BASIC))(?P<blank>[ +:]+)"
    r"(?P<credential>(?=\S*(?:\d|[=_~+/]|[a-z][A-Z]))[\w.~+/=-]{8,})"
    r"|(?P<name>[A-Za-z][\w.-]*)(?P<quote>['\"]?)(?P<sign>\s*(?:=|:(?!//))\s*)"
    r"(?P<value>(?:[Bb]earer|[Bb]asic|[Tt]oken) +[^\s'\",;]+|\[[^\]]*\]|\{[^}]*\}|'[^']+'|\"[^\"]+\""
    r"|[^\s'\",;&{}\[\]]+)"
)
_BARE_QUERY = re.compile(r"(?P<address>://[^\s?'\"<>]*\?)(?P<query>[^\s=&#'\"<>]+)(?=$|[\s'\"<>#])")
_SUSPECT = re.compile(r"[=:@]|earer|asic |EARER|ASIC |hf_|gh[oprsu]_|_pat_|glpat|sk-|xox|A[KS]IA|wandb_v1|eyJ")
_MASK: Final = "***"
_EMPTY: Final = ("", "[]", "{}", "null", "none", "true", "false", _MASK)


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a setting is named like one that holds a key; singular or plural, numbered or not.

    >>> [is_secret_name(name) for name in ("api_key", "api_keys", "token1", "hub.authToken", "PASSWORD_2")]
    [True, True, True, True, True]
    >>> [is_secret_name(name) for name in ("depth_key", "max_tokens", "use_mask_token", "key_frames", "path")]
    [False, False, False, False, False]
    """
    words = _words(name.rpartition(".")[2])
    if not words or _COUNTS & set(words[:-1]):
        return False
    return words[-1] in _ALONE or (words[-1] == "key" and len(words) > 1 and words[-2] in _BEFORE_KEY)


def secret_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose name says that they hold a key: PAT, TOKEN, SECRET, PASSWORD, KEY and the like.

    >>> secret_variables({"CI_PAT": "0123456789", "LAB_KEYS_2": "abcdefgh", "KEYBOARD": "querty-keys", "TOKEN": "ab"})
    {'CI_PAT': '0123456789', 'LAB_KEYS_2': 'abcdefgh'}
    """
    return {
        name: value
        for name, value in environment.items()
        if len(value.strip()) >= _SHORTEST and _names_a_key(name) and value not in ("disabled", "optional")
    }


@functools.lru_cache(maxsize=4096)
def _names_a_key(name: str) -> bool:
    words = _words(name)
    return (
        name not in ("PWD", "OLDPWD")
        and bool(words)
        and words[-1] not in _PLACES
        and any(word in _ALONE or word == "key" for word in words)
    )


def _words(name: str) -> list[str]:
    """The words of a name in the singular, without numbers."""
    words = (word.lower() for word in _WORD.findall(name) if not word.isdigit())
    return [word.removesuffix("s") if word.removesuffix("s") in {*_ALONE, "key"} else word for word in words]


def secret_in(text: str, setting: str = "") -> str:
    """Say in words what key a text holds, never the key itself; "" if none.

    Args:
        text: of any length.
        setting: the name of what it is the value of, if any.
    """
    for name, value in _known():
        if value in text:
            return f"the value of {name}"
    if text and any(is_secret_name(part) for part in setting.split(".")):
        return "a key"
    return next(_found(text), "")


def _found(text: str) -> Iterator[str]:
    if _SUSPECT.search(text) is None:
        return
    for match in _FOUND.finditer(text):
        if match["login"]:
            yield "a login within an address"
        elif match["parameter"]:
            if not _is_plain(match["parameter"]):
                yield f"the parameter {match['parameter']} of an address, which may let in whoever reads it,"
        elif not match["name"] or _is_assigned(match):
            yield "a key"
        elif _SUSPECT.search(match["value"]):
            yield from _found(match["value"])
    if any(not _is_plain(match["query"]) for match in _BARE_QUERY.finditer(text)):
        yield "the parameter of an address, which may let in whoever reads it,"


def _is_plain(parameter: str) -> bool:
    return parameter.lower() in _PLAIN_QUERY


def _is_assigned(match: re.Match[str]) -> bool:
    value = match["value"].strip("'\"")
    return is_secret_name(match["name"]) and value.lower() not in _EMPTY


def redacted(text: str) -> str:
    """Return a text with its keys replaced by ***: logins and parameters of addresses, what follows Bearer, tokens of
    known services, values that are named like keys, and values of variables that are.

    >>> redacted("GET https://me:pw@host/a.pth?sig=abc&download=true with Authorization: Bearer 0123456789")
    'GET https://***@host/a.pth?sig=***&download=true with Authorization: ***'
    """  # noqa: D205  # a list
    return _without(text, _known())


def _without(text: str, known: tuple[tuple[str, str], ...]) -> str:
    for name, value in known:
        if value in text:
            text = text.replace(value, f"<{name}>")
    if _SUSPECT.search(text) is None:
        return text
    return _BARE_QUERY.sub(_masked_query, _FOUND.sub(_masked, text))


def _masked_query(match: re.Match[str]) -> str:
    return match[0] if _is_plain(match["query"]) or match["query"] == _MASK else f"{match['address']}{_MASK}"


def _masked(match: re.Match[str]) -> str:
    if match["token"] or match["login"]:
        return _MASK
    if match["parameter"]:
        return match[0] if _is_plain(match["parameter"]) else f"{match['parameter']}={_MASK}"
    if match["scheme"]:
        return f"{match['scheme']}{match['blank']}{_MASK}"
    if _is_assigned(match):
        return f"{match['name']}{match['quote']}{match['sign']}{_MASK}"
    # what a name is set to may be an address, or hold a key of its own
    rest = match["value"]
    return f"{match['name']}{match['quote']}{match['sign']}{_without(rest, ())}" if _SUSPECT.search(rest) else match[0]


def _known() -> tuple[tuple[str, str], ...]:
    return _spellings(tuple(secret_variables(os.environ).items()))


@functools.lru_cache(maxsize=8)
def _spellings(known: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Longest first, since one may begin with another; as they are and as in an address."""
    both = {(name, spelt) for name, value in known for spelt in (value, value.strip(), quote(value, safe=""))}
    return tuple(sorted(both, key=lambda entry: (-len(entry[1]), entry)))


def redacted_values(content: Any, setting: str = "") -> Any:
    """Return plain values, as of JSON or YAML, with the keys in their texts replaced, or whole where they are named so.

    >>> redacted_values({"api_keys": ["abc"], "lr": 0.1, "note": "token1=abc"})
    {'api_keys': ['***'], 'lr': 0.1, 'note': 'token1=***'}
    """
    return _without_in(content, is_secret_name(setting), _known())


def _without_in(content: Any, is_key: bool, known: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(content, Mapping):
        return {key: _without_in(value, is_key or is_secret_name(str(key)), known) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_in(value, is_key, known) for value in content]
    if isinstance(content, str):
        return _MASK if is_key and content else _without(content, known)
    return content
