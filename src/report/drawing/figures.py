"""Charts: accuracy by the resolution of the input, error by depth, and what charts of tables have in common."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from src.records.table import Scored
from src.report.drawing.chart import Chart, Datum, Series, draw
from src.report.findings.leaderboard import Table
from src.report.findings.row import Row
from src.report.findings.words import metres, metric_label


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Charts of one kind.

    Attributes:
        note: what to know about them.
        first: of every table that has such a chart; the reader chooses of which.
        others: what is folded away.
        folded: what that is, in words.
    """

    note: str
    first: tuple[Chart, ...]
    others: tuple[Chart, ...] = ()
    folded: str = ""


Draw = Callable[[Table, str], Sequence[Chart]]
"""Table and anchor -> charts."""


def figures(tables: Sequence[Table], draw: Draw, *, anchor: str, note: str) -> Figures:
    """Draw a kind of chart for every table that has what it takes.

    Args:
        tables: in order of data variant.
        draw: the kind.
        anchor: that the ids of the charts start with.
        note: as in `Figures`.
    """
    places = itertools.count(1)
    return Figures(
        note=note, first=tuple(chart for table in tables for chart in draw(table, f"{anchor}-{next(places)}"))
    )


def resolution_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw accuracy by resolution, if cells differ in nothing else."""
    families: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        if mean_of(row, table) is not None:
            families.setdefault((row.manifest.model, row.variant), []).append(row)
    series = []
    for (model, variant), rows in families.items():
        data = sorted((datum_of(row, table, x=_side(row)) for row in rows), key=lambda datum: datum.x)
        if len({datum.x for datum in data}) > 1:
            faded = any(row.unranked for row in rows)
            name = " ".join(filter(None, (model, variant)))
            series.append(Series(name=name, model=model, data=tuple(data), faded=faded))
    if not series:
        return []
    return [
        draw(
            series,
            anchor=anchor,
            protocol=table.key.protocol,
            data=table.key.data,
            title=title_of(table),
            summary=f"{value_label(table)} of {len(series)} models by the size of the network's input.",
            x_label="input size, √(height × width), pixels",
            y_label=value_label(table),
        )
    ]


def _side(row: Row) -> float:
    """Return the side of a square with as many pixels as the network saw on average."""
    sizes = row.cell.scores[row.protocol].input_size.astype(np.float64)
    return round(float(np.sqrt(sizes.prod(axis=1).mean())), 1)


def depth_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw the error by true depth, if the records have bins of it."""
    series = []
    for row in table.rows:
        edges, scored = row.manifest.depth_edges, row.cell.scores[row.protocol]
        if scored.depth_pixels.shape[1] == 0 or len(edges) != scored.depth_pixels.shape[1] + 1:
            continue
        data = _by_depth(scored, np.array(edges, dtype=np.float64))
        if data:
            one = Series(name=row.name, model=row.manifest.model, data=data, faded=bool(row.unranked))
            series.append((one, edges))
    if not series:
        return []
    edges = series[0][1]
    return [
        draw(
            [one for one, _ in series],
            anchor=anchor,
            protocol=table.key.protocol,
            data=table.key.data,
            title=title_of(table),
            summary=f"Mean AbsRel of {len(series)} models by true depth in {len(edges) - 1} bins.",
            x_label="true depth, m",
            y_label="AbsRel ↓",
            log_x=True,
        )
    ]


def _by_depth(scored: Scored, edges: Float64[np.ndarray, " m"]) -> tuple[Datum, ...]:
    """Return the error of each bin that holds any pixel of an image that is ok."""
    ok = scored.status == "ok"
    pixels = scored.depth_pixels[ok].astype(np.float64)
    errors = np.where(pixels > 0, scored.depth_abs_rel[ok], 0.0)
    data = []
    for place, (near, far) in enumerate(itertools.pairwise(edges)):
        weight, error = pixels[:, place], errors[:, place]
        images, total = int((weight > 0).sum()), weight.sum()
        if images == 0 or not np.isfinite(error).all():
            continue
        mean = float(weight @ error / total)
        # of a ratio of two sums: Cochran, "Sampling Techniques", 1977, section 2.11
        spread = float(np.sqrt(((weight * (error - mean)) ** 2).sum() * images / max(images - 1, 1)) / total)
        data.append(
            Datum(
                x=_middle(float(near), float(far)),
                y=mean,
                low=mean - 2 * spread if images > 1 else None,
                high=mean + 2 * spread if images > 1 else None,
                name=f"{metres(float(near))} to {metres(float(far))} m, {int(total)} pixels of {images} images",
            )
        )
    return tuple(data)


def _middle(near: float, far: float) -> float:
    """Return the geometric middle of a bin, of which at most two octaves count: the outermost are open."""
    start = near or far / 4
    return math.sqrt(start * min(far, 4 * start))


def datum_of(row: Row, table: Table, *, x: float) -> Datum:
    """Return the row's mean of the first metric with its interval, at `x`."""
    found = row.estimates[table.metrics[0]]
    assert found.mean is not None  # noqa: S101  # rows without are left out before
    return Datum(x=x, y=found.mean, low=found.low, high=found.high, name=row.name)


def mean_of(row: Row, table: Table) -> float | None:
    """Return the row's mean of the first metric."""
    return row.estimates[table.metrics[0]].mean


def value_label(table: Table) -> str:
    """Name the first metric with unit and direction."""
    info: Any = table.info.metrics[table.metrics[0]]
    unit = f", {info.unit}" if info.unit not in ("", "fraction") else ""
    return f"{metric_label(table.metrics[0])}{unit} {'↑' if info.higher_is_better else '↓'}"


def title_of(table: Table) -> str:
    """Name the table."""
    return f"{table.title}, {table.key.protocol} version {table.key.version}"
