"""One colour and one mark for each model in all charts of a page."""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from src.report.findings.board import Board
from src.report.findings.robustness import Trial

TONES: Final = 6
"""Colours; each is told from every other with any of the three common deficiencies of colour vision."""
SHAPES: Final = 10


class Look(NamedTuple):
    """Places of a colour and of a mark."""

    tone: int
    shape: int


def looks(boards: Iterable[Board], trials: Iterable[Trial] = ()) -> dict[str, Look]:
    """Give each model a colour and a mark, in order of the boards; sixty differ, of which no ten share a mark."""
    rows = [line.row for board in boards for line in board.grids[0].lines]
    rows += [row for board in boards for table in board.columns for row in table.measured]
    names = [row.manifest.model for row in rows]
    names += [model.model for trial in trials for model in trial.models]
    found: defaultdict[str, Look] = defaultdict(lambda: Look(0, 0))
    for name, look in zip(dict.fromkeys(names), itertools.cycle(_order()), strict=False):
        found[name] = look
    return found


def _order() -> list[Look]:
    """Return all pairs, neighbours differing in both."""
    return [Look(k % TONES, (k + k // (TONES * SHAPES // 2)) % SHAPES) for k in range(TONES * SHAPES)]
