"""The terminal, as everything here prints to it."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from src.core.shown import escaped


class Terminal(Console):
    """A console on which no text, wherever it comes from, can move the cursor or change the screen.

    File names and the words of other programs reach it by many ways; what rich itself says to the terminal stays.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, with what steers a terminal spelt out."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped(segment.text, lines=True), segment.style)


def terminal(**options: Any) -> Console:
    """Return a console; options as of rich's own."""
    return Terminal(**options)
