"""Sections of charts: accuracy against speed, against the resolution of the input, and error by depth."""

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
from src.report.section import Evidence, Section
from src.report.words import metres, metric_label

MAX_LINES: Final = 12
"""Of one chart; what follows in the order of the leaderboard is in its table only."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Charts by data variant, those of its first protocol apart from the others.

    Attributes:
        note: what to know about them.
        sets: (data variant, charts of the first protocol, charts of the others).
    """

    note: str
    sets: tuple[tuple[str, tuple[Chart, ...], tuple[Chart, ...]], ...]


Draw = Callable[[Table, str], Sequence[Chart]]
"""Table and anchor -> charts."""


def build_cost(evidence: Evidence) -> list[Section]:
    """Return the section of accuracy against speed; nothing without two models measured on one device."""
    note = (
        "Images per second of the prediction loop, loading and scoring included; one chart per device, since speeds of "
        "different devices say nothing about models. The line joins the ranked models that no other one beats in both."
    )
    return _section(evidence, "cost", "Accuracy against speed", "speed", note, _cost)


def build_resolution(evidence: Evidence) -> list[Section]:
    """Return the section of accuracy by resolution; nothing without cells that differ in nothing else."""
    note = (
        "One line joins the cells of one model that differ in nothing but the resolution that was asked for. The axis "
        "is the size the network saw: the root of its mean number of pixels. Bars are 95 % intervals."
    )
    return _section(evidence, "resolution", "Accuracy by resolution", "resolution", note, _resolution)


def build_depth(evidence: Evidence) -> list[Section]:
    """Return the section of errors by depth; nothing where the records have no bins of depth."""
    note = (
        "Mean absolute relative error of all pixels whose true depth lies in a bin, all images taken together; a value "
        "stands at the geometric middle of its bin, a bar for two standard errors over images. Bins with fewer than "
        "two images have no bar."
    )
    return _section(evidence, "depth", "Error by depth", "depth", note, _depth)


def _section(evidence: Evidence, anchor: str, title: str, nav: str, note: str, drawn: Draw) -> list[Section]:
    sets = []
    places = itertools.count(1)
    for data, group in itertools.groupby(evidence.tables, lambda table: table.key.data):
        tables = list(group)
        charts = [(table, chart) for table in tables for chart in drawn(table, f"{anchor}-{next(places)}")]
        if charts:
            first = charts[0][0].key.protocol
            sets.append(
                (
                    data,
                    tuple(chart for table, chart in charts if table.key.protocol == first),
                    tuple(chart for table, chart in charts if table.key.protocol != first),
                )
            )
    if not sets:
        return []
    view = Figures(note=note, sets=tuple(sets))
    return [
        Section(anchor=anchor, title=title, nav=nav, template="figures.html.jinja", view=view, styles=("chart.css",))
    ]


def _cost(table: Table, anchor: str) -> list[Chart]:
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


def _resolution(table: Table, anchor: str) -> list[Chart]:
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


def _depth(table: Table, anchor: str) -> list[Chart]:
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
    return f"{table.key.data}, {table.key.protocol} version {table.key.version}"
