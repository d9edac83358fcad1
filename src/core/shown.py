"""Text of unknown origin as it is shown: without keys, and without what steers a terminal or a spreadsheet."""

import re
from pathlib import PurePath
from typing import Any

from src.core.secrets import redacted

# C0, DEL, C1; line and paragraph separators; marks that turn the direction of reading or take no room; halves of
# characters, which stand for bytes of a file name that are no text
_INVISIBLE = r"\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
_STEERING = re.compile(rf"[\x00-\x1f{_INVISIBLE}]")
_OF_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?|[+-]")


def shown(text: str, *, lines: bool = False) -> str:
    r"""Return a text for people: without keys, and with what steers a terminal spelt out as in Python.

    The one sanitiser of every way out: terminal, logs, CSV, Markdown, LaTeX, HTML, tables of Weights & Biases.

    Args:
        text: of any origin, such as a file name or the words of another program.
        lines: whether it may have line breaks and tabs; otherwise those are spelt out too.

    >>> print(shown("a\x1b[2Jb\u202ec\nd https://me:pw@host"))
    a\x1b[2Jb\u202ec\nd https://***@host
    """
    return escaped(redacted(text), lines=lines)


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Return a text with what steers a terminal spelt out; keys stay.

    >>> escaped("\udcff"), escaped("a\tb", lines=True)
    ('\\udcff', 'a\tb')
    """
    return (_OF_LINES if lines else _STEERING).sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def cell(value: Any) -> Any:
    r"""Return a value for a cell of a spreadsheet, which would compute a text that begins like a formula.

    Such a text gets an apostrophe in front, as OWASP advises; numbers stay numbers.

    >>> cell("=HYPERLINK(1)"), cell("\t@a"), cell(-0.5), cell("-0.5"), cell("abs_rel")
    ("'=HYPERLINK(1)", "'\\t@a", -0.5, '-0.5', 'abs_rel')
    """
    if isinstance(value, PurePath):
        value = str(value)
    if not isinstance(value, str):
        return value
    begins = value.lstrip(" ").startswith(_FORMULA) and _NUMBER.fullmatch(value.strip()) is None
    return f"'{shown(value)}" if begins or value.startswith(("\t", "\r", "\n")) else shown(value)
