"""Charts: accuracy against speed, against the resolution of the input, and error by depth."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from src.records.table import Scored
from src.report.chart import Chart, Datum, Series, draw
from src.report.leaderboard import Row, Table
from src.report.words import metres, metric_label

MAX_LINES: Final = 12
"""Of one chart; what follows in the order of the leaderboard is in its table only."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Charts of one kind.

    Attributes:
        note: what to know about them.
        first: under the first protocol of each data variant that has such a chart.
        others: under its other protocols.
    """

    note: str
    first: tuple[Chart, ...]
    others: tuple[Chart, ...]


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
    charts = [(table, chart) for table in tables for chart in draw(table, f"{anchor}-{next(places)}")]
    protocols: dict[str, str] = {}
    for table, _ in charts:
        protocols.setdefault(table.key.data, table.key.protocol)
    leading = [protocols[table.key.data] == table.key.protocol for table, _ in charts]
    return Figures(
        note=note,
        first=tuple(chart for (_, chart), leads in zip(charts, leading, strict=True) if leads),
        others=tuple(chart for (_, chart), leads in zip(charts, leading, strict=True) if not leads),
    )


def cost_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw accuracy against speed, a chart for each device that two models were measured on."""
    known = [row for row in table.rows if _mean(row, table) is not None and row.manifest.images_per_second > 0]
    devices: dict[tuple[str, int], list[Row]] = {}
    for row in known:
        devices.setdefault((row.manifest.device, row.manifest.world_size), []).append(row)
    groups = [(where, rows) for where, rows in devices.items() if len(rows) > 1]
    return [
        _cost_chart(table, f"{anchor}-{place}", device, processes, rows)
        for place, ((device, processes), rows) in enumerate(groups, start=1)
    ]


def _cost_chart(table: Table, anchor: str, device: str, processes: int, rows: Sequence[Row]) -> Chart:
    data = [_datum(row, table, x=row.manifest.images_per_second) for row in rows]
    front = pareto(
        [datum for datum, row in zip(data, rows, strict=True) if not row.unranked], higher_is_better=_rises(table)
    )
    where = f"{device}, {processes} processes" if processes > 1 else device
    beaten_by_none = ", ".join(datum.name for datum in front) or "no ranked model"
    return draw(
        [Series(name=row.name, data=(datum,), faded=bool(row.unranked)) for row, datum in zip(rows, data, strict=True)],
        anchor=anchor,
        title=f"{_title(table)} · {where}",
        summary=f"{_label(table)} of {len(rows)} models against their images per second on {where}. Beaten by no other "
        f"in both: {beaten_by_none}.",
        x_label="images per second, faster →",
        y_label=_label(table),
        log_x=True,
        joined=False,
        front=front,
    )


def pareto(data: Sequence[Datum], *, higher_is_better: bool) -> list[Datum]:
    """Return the values that no other beats both in x, where more is better, and in y; from left to right."""
    sign = -1 if higher_is_better else 1
    front: list[Datum] = []
    for datum in sorted(data, key=lambda one: (-one.x, sign * one.y)):
        if not front or sign * datum.y < sign * front[-1].y:
            front.append(datum)
    return front[::-1]


def resolution_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw accuracy by resolution, if cells differ in nothing else."""
    families: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        if _mean(row, table) is not None:
            families.setdefault((row.manifest.model, row.variant), []).append(row)
    series = []
    for (model, variant), rows in families.items():
        data = sorted((_datum(row, table, x=_side(row)) for row in rows), key=lambda datum: datum.x)
        if len({datum.x for datum in data}) > 1:
            faded = any(row.unranked for row in rows)
            series.append(Series(name=" ".join(filter(None, (model, variant))), data=tuple(data), faded=faded))
    if not series:
        return []
    return [
        draw(
            series[:MAX_LINES],
            anchor=anchor,
            title=_title(table),
            summary=f"{_label(table)} of {len(series)} models by the size of the network's input.",
            x_label="input size, √(height × width), pixels",
            y_label=_label(table),
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
            series.append((Series(name=row.name, data=data, faded=bool(row.unranked)), edges))
    if not series:
        return []
    edges = series[0][1]
    return [
        draw(
            [one for one, _ in series][:MAX_LINES],
            anchor=anchor,
            title=_title(table),
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


def _datum(row: Row, table: Table, *, x: float) -> Datum:
    found = row.estimates[table.metrics[0]]
    assert found.mean is not None  # noqa: S101  # rows without are left out before
    return Datum(x=x, y=found.mean, low=found.low, high=found.high, name=row.name)


def _mean(row: Row, table: Table) -> float | None:
    return row.estimates[table.metrics[0]].mean


def _rises(table: Table) -> bool:
    return table.info.metrics[table.metrics[0]].higher_is_better


def _label(table: Table) -> str:
    info: Any = table.info.metrics[table.metrics[0]]
    unit = f", {info.unit}" if info.unit not in ("", "fraction") else ""
    return f"{metric_label(table.metrics[0])}{unit} {'↑' if info.higher_is_better else '↓'}"


def _title(table: Table) -> str:
    return f"{table.title}, {table.key.protocol} version {table.key.version}"
