"""What the user typed for a cell, as opposed to what a sweep adds for itself."""

from collections.abc import Iterable
from typing import Final

LEDGER: Final = "+sweep_ledger="
"""Start of the word by which a sweep tells its cells where to report how they ended."""


def own_words(overrides: Iterable[str]) -> list[str]:
    """Return what the user set for a cell, without what the sweep adds for itself.

    >>> own_words(["model=ramp", "+sweep_ledger=/tmp/ledger"])
    ['model=ramp']
    """
    return [word for word in overrides if not word.startswith(LEDGER)]
