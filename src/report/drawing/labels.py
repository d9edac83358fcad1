"""Where the numbers of series stand in a chart: near what they name, and over as little as can be."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

GAP: Final = 13.0
"""Height of a line of text."""
_LETTER: Final = 7.0
"""Width of a letter, on the safe side."""


class Box(NamedTuple):
    """A part of a chart, in its units; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: "Box") -> float:
        """Return the area of what both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


class Place(NamedTuple):
    """Where a text stands: its start, middle or end, half-way up."""

    x: float
    y: float
    anchor: Literal["start", "middle", "end"]

    def box(self, text: str) -> Box:
        """Return what the text covers."""
        width = _LETTER * len(text)
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return Box(left, self.y - GAP / 2, left + width, self.y + GAP / 2)


def beside(heights: Sequence[float], x: float) -> list[Place]:
    """Return places in a column, near the wanted heights and not over one another."""
    found: dict[int, float] = {}
    for k in sorted(range(len(heights)), key=lambda k: heights[k]):
        height = heights[k]
        for taken in sorted(found.values()):
            if abs(height - taken) < GAP:
                height = taken + GAP
        found[k] = height
    return [Place(x, round(found[k], 1), "start") for k in range(len(heights))]


def around(
    points: Sequence[tuple[float, float]], texts: Sequence[str], marks: Sequence[Box], inside: Box
) -> list[Place]:
    """Return places around points, in their order, where texts cover the least of marks and of earlier texts.

    Args:
        points: (x, y) of what is named.
        texts: their names.
        marks: what should not be covered.
        inside: what should not be left.
    """
    taken = list(marks)
    places = []
    for (x, y), text in zip(points, texts, strict=True):
        choices = [
            *(Place(x + 10, y + step, "start") for step in (0, -9, 9)),
            *(Place(x - 10, y + step, "end") for step in (0, -9, 9)),
            *(Place(x, y + step, "middle") for step in (-GAP, GAP)),
            *(Place(x + 10, y + step, "start") for step in (-24, 24)),
            *(Place(x - 10, y + step, "end") for step in (-24, 24)),
        ]

        def cost(choice: Place, text: str = text) -> float:
            box = choice.box(text)
            outside = (box.right - box.left) * (box.bottom - box.top) - box.shared(inside)
            return outside + sum(box.shared(other) for other in taken)

        best = min(choices, key=cost)  # the first of equals is the nearest
        taken.append(best.box(text))
        places.append(Place(round(best.x, 1), round(best.y, 1), best.anchor))
    return places
