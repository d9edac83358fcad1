"""Numbers -> a chart as plain coordinates, which a template draws as SVG in the page's own colours and fonts."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from src.report.drawing.labels import Box, Place, around, beside

WIDTH: Final = 420
HEIGHT: Final = 290
"""Small units, so that text is still read where a telephone shows the whole width."""
LEFT, RIGHT, TOP, BOTTOM = 50, 28, 12, 44
"""Margins in the units of WIDTH; numbers of series stand in the right one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One measured value.

    Attributes:
        x, y: where it lies.
        low, high: ends of its interval, or None.
        name: what it is, for the table behind the chart.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one model, in the order in which a line joins them.

    Attributes:
        name: of it, beside the chart.
        data: at least one.
        faded: whether it is not ranked.
        model: whose colour and mark it has.
    """

    name: str
    data: tuple[Datum, ...]
    faded: bool = False
    model: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from `low` to `high`, linear or logarithmic.

    >>> Scale.around([0.13, 0.58]).ticks()
    [0.0, 0.2, 0.4, 0.6]
    >>> Scale.around([3.0, 70.0], logarithmic=True).ticks()
    [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def around(cls, values: Iterable[float], *, logarithmic: bool = False) -> "Scale":
        """Return an axis from tick to tick that holds all values; a linear one starts at zero if that is near."""
        held = list(values)
        low, high = min(held), max(held)
        if logarithmic:
            return cls(low=_round_log(low / 1.1, up=False), high=_round_log(high * 1.1, up=True), logarithmic=True)
        if low >= 0 and low < 0.6 * high:
            low = 0.0
        if low == high:
            low, high = (0.0, 1.0) if low == 0 else (low - 0.1 * abs(low), high + 0.1 * abs(high))
        step = _step(low, high)
        return cls(low=math.floor(low / step) * step, high=math.ceil(high / step - 1e-9) * step, logarithmic=False)

    def place(self, value: float) -> float:
        """Return where a value lies between the ends, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return round values from end to end."""
        if not self.logarithmic:
            step = _step(self.low, self.high)
            return [round(self.low + k * step, 12) for k in range(round((self.high - self.low) / step) + 1)]
        decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        held = [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]
        return held if len(held) <= 8 else [tick for tick in held if f"{tick:e}"[0] == "1"]


def _step(low: float, high: float) -> float:
    rough = (high - low) / 4
    unit: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * 0.999)


def _round_log(value: float, *, up: bool) -> float:
    unit: float = 10.0 ** math.floor(math.log10(value))
    digits = [digit for digit in (1, 2, 5, 10) if (digit >= value / unit if up else digit <= value / unit)]
    return (digits[0] if up else digits[-1]) * unit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value in units of WIDTH and HEIGHT; `low` and `high` are None without an interval."""

    x: float
    y: float
    low: float | None
    high: float | None
    datum: Datum


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A series in units of WIDTH and HEIGHT.

    Attributes:
        name: of the series.
        text: its number among all, which stands in the chart for the name beside it.
        at: where that stands.
        model: whose colour and mark it has.
        again: how many earlier series of the chart have the same: their lines are dashed otherwise.
        faded: whether it is not ranked.
        marks: its values.
    """

    name: str
    text: str
    at: Place
    model: str
    again: int
    faded: bool
    marks: tuple[Mark, ...]

    @property
    def path(self) -> str:
        """The line as an SVG path."""
        return "M" + "L".join(f"{mark.x:.1f} {mark.y:.1f}" for mark in self.marks)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that the template draws.

    Attributes:
        anchor: its id in the page.
        title, summary: for all readers, and for those who cannot see it.
        x_label, y_label: with units.
        joined: whether lines join the values of a series.
        x_ticks, y_ticks: (coordinate, text).
        lines: the series.
        front: an SVG path along the values that no other beats, or "".
        protocol, data: what it is about.
    """

    anchor: str
    title: str
    summary: str
    x_label: str
    y_label: str
    joined: bool
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    front: str = ""
    protocol: str = ""
    data: str = ""


def draw(
    series: Sequence[Series],
    *,
    anchor: str,
    title: str,
    summary: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    joined: bool = True,
    x_ticks: Sequence[float] | None = None,
    front: Sequence[Datum] = (),
    front_of: Literal["left", "right"] = "left",
    protocol: str = "",
    data: str = "",
) -> Chart:
    """Lay a chart out.

    Args:
        series: at least one.
        anchor: as in `Chart`.
        title: as in `Chart`.
        summary: as in `Chart`.
        x_label: as in `Chart`.
        y_label: as in `Chart`.
        joined: as in `Chart`.
        log_x: whether the horizontal axis is logarithmic.
        x_ticks: where it is labelled; at round values if None.
        front: values to join by steps, from left to right.
        front_of: which of two neighbours' values holds between them.
        protocol: as in `Chart`.
        data: as in `Chart`.
    """
    values = [datum for one in series for datum in one.data]
    across = Scale.around([datum.x for datum in values] + list(x_ticks or []), logarithmic=log_x)
    ends = [end for datum in values for end in (datum.low, datum.y, datum.high) if end is not None]
    up = Scale.around(ends)

    def x(value: float) -> float:
        return round(LEFT + across.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    marks = [
        tuple(
            Mark(
                x=x(datum.x),
                y=y(datum.y),
                low=None if datum.low is None else y(datum.low),
                high=None if datum.high is None else y(datum.high),
                datum=datum,
            )
            for datum in one.data
        )
        for one in series
    ]
    texts = [str(place) for place in range(1, len(series) + 1)]
    corners = _steps([(x(datum.x), y(datum.y)) for datum in front], front_of)
    labels = _labels(marks, texts, corners, joined=joined)
    lines = tuple(
        Line(
            name=one.name,
            text=text,
            model=one.model,
            again=sum(other.model == one.model for other in series[:place]),
            faded=one.faded,
            marks=each,
            at=at,
        )
        for place, (one, text, each, at) in enumerate(zip(series, texts, marks, labels, strict=True))
    )
    return Chart(
        anchor=anchor,
        title=title,
        summary=summary,
        x_label=x_label,
        y_label=y_label,
        joined=joined,
        x_ticks=tuple((x(tick), _text(tick)) for tick in (x_ticks or across.ticks())),
        y_ticks=tuple((y(tick), _text(tick)) for tick in up.ticks()),
        lines=lines,
        front="M" + "L".join(f"{at_x:.1f} {at_y:.1f}" for at_x, at_y in corners) if len(corners) > 1 else "",
        protocol=protocol,
        data=data,
    )


def _steps(points: Sequence[tuple[float, float]], held: Literal["left", "right"]) -> list[tuple[float, float]]:
    """Return the corners of the stairs through points."""
    corners = list(points[:1])
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        corners += [(x2, y1) if held == "left" else (x1, y2), (x2, y2)]
    return corners


def _labels(
    marks: Sequence[Sequence[Mark]], texts: Sequence[str], front: Sequence[tuple[float, float]], *, joined: bool
) -> list[Place]:
    ends = [(each[-1].x, each[-1].y) for each in marks]
    if joined:
        return beside([y for _, y in ends], WIDTH - RIGHT + 9.0)
    boxes = [
        Box(mark.x - 6, min(mark.y - 6, mark.high or mark.y), mark.x + 6, max(mark.y + 6, mark.low or mark.y))
        for each in marks
        for mark in each
    ]
    for (x1, y1), (x2, y2) in itertools.pairwise(front):
        boxes.append(Box(min(x1, x2) - 3, min(y1, y2) - 3, max(x1, x2) + 3, max(y1, y2) + 3))
    return around(ends, texts, boxes, Box(LEFT + 4, TOP, WIDTH, HEIGHT - BOTTOM))


def _text(value: float) -> str:
    return f"{value:.6g}"
