"""Charts of accuracy against what it costs: time, operations, parameters, memory."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from src.records.schema import RunManifest
from src.report.drawing.chart import Chart, Datum, Series, draw
from src.report.drawing.figures import datum_of, mean_of, title_of, value_label
from src.report.findings.leaderboard import Table
from src.report.findings.row import Row, has_network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Something that a model takes or makes.

    Attributes:
        name: of it, in words.
        label: of the axis.
        of: the value in the unit of the axis; 0 where it is unknown.
        more_is_better: whether it is a speed.
        per_device: whether values of different devices say nothing about models.
    """

    name: str
    label: str
    of: Callable[[RunManifest], float]
    more_is_better: bool = False
    per_device: bool = True


def network_speed(manifest: RunManifest) -> float:
    """Return the images per second of the network alone, or 0 where its latency is unknown."""
    if not manifest.latency_median or not has_network(manifest):
        return 0.0
    return manifest.batch_size * manifest.world_size / manifest.latency_median


NETWORK: Final = Cost(
    name="images per second of the network alone",
    label="images per second, network alone, faster →",
    of=network_speed,
    more_is_better=True,
)
LOOP: Final = Cost(
    name="images per second",
    label="images per second, loading and scoring included, faster →",
    of=lambda manifest: manifest.images_per_second if has_network(manifest) else 0.0,
    more_is_better=True,
)
OTHERS: Final = (
    Cost(
        name="operations",
        label="← fewer, GFLOP per image",
        of=lambda manifest: manifest.flops / 1e9,
        per_device=False,
    ),
    Cost(
        name="parameters",
        label="← fewer, millions of parameters",
        of=lambda manifest: manifest.parameters / 1e6,
        per_device=False,
    ),
    Cost(
        name="peak memory",
        label="← less, GiB at most",
        of=lambda manifest: manifest.peak_memory / 2**30 if has_network(manifest) else 0.0,
    ),
)


def speed_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw accuracy against speed, a chart for each device that two models were measured on.

    The speed is that of the network where every row on the device has it, else that of the whole loop.
    """
    charts = []
    for place, rows in enumerate(_groups(table, LOOP), start=1):
        cost = NETWORK if all(NETWORK.of(row.manifest) for row in rows) else LOOP
        charts.append(_chart(table, f"{anchor}-{place}", cost, rows))
    return charts


def other_charts(table: Table, anchor: str) -> list[Chart]:
    """Draw accuracy against operations, parameters and peak memory, as far as they are known of two models."""
    groups = [(cost, rows) for cost in OTHERS for rows in _groups(table, cost)]
    return [_chart(table, f"{anchor}-{place}", cost, rows) for place, (cost, rows) in enumerate(groups, start=1)]


def pareto(data: Sequence[Datum], *, higher_is_better: bool, more_is_better: bool = True) -> list[Datum]:
    """Return the values that no other beats in both, from left to right.

    Args:
        data: (x, y).
        higher_is_better: of y.
        more_is_better: of x.
    """
    up, across = -1 if higher_is_better else 1, -1 if more_is_better else 1
    front: list[Datum] = []
    for datum in sorted(data, key=lambda one: (across * one.x, up * one.y)):
        if not front or up * datum.y < up * front[-1].y:
            front.append(datum)
    return front[::-1] if more_is_better else front


def _groups(table: Table, cost: Cost) -> list[list[Row]]:
    """Return the rows of which it is known, device by device where that matters; one row is no comparison."""
    groups: dict[tuple[str, int] | None, list[Row]] = {}
    for row in table.rows:
        if mean_of(row, table) is not None and cost.of(row.manifest) > 0:
            where = (row.manifest.device, row.manifest.world_size) if cost.per_device else None
            groups.setdefault(where, []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def _chart(table: Table, anchor: str, cost: Cost, rows: Sequence[Row]) -> Chart:
    data = [_datum(row, table, cost) for row in rows]
    front = pareto(
        [datum for datum, row in zip(data, rows, strict=True) if not row.unranked],
        higher_is_better=table.info.metrics[table.metrics[0]].higher_is_better,
        more_is_better=cost.more_is_better,
    )
    manifest = rows[0].manifest
    processes = f", {manifest.world_size} processes" if manifest.world_size > 1 else ""
    where = f" · {manifest.device}{processes}" if cost.per_device else ""
    beaten_by_none = ", ".join(row.name for row, datum in zip(rows, data, strict=True) if datum in front)
    return draw(
        [
            Series(name=row.name, model=row.manifest.model, data=(datum,), faded=bool(row.unranked))
            for row, datum in zip(rows, data, strict=True)
        ],
        anchor=anchor,
        protocol=table.key.protocol,
        data=table.key.data,
        title=f"{title_of(table)}{where}",
        summary=(
            f"{value_label(table)} of {len(rows)} models against {cost.name}{where.replace(' ·', ' on')}. "
            f"Beaten by no other in both: {beaten_by_none or 'no ranked model'}."
        ),
        x_label=cost.label,
        y_label=value_label(table),
        log_x=True,
        joined=False,
        front=front,
        # with so much to spend, the best to be had is the one that takes no more
        front_of="right" if cost.more_is_better else "left",
    )


def _datum(row: Row, table: Table, cost: Cost) -> Datum:
    datum = datum_of(row, table, x=cost.of(row.manifest))
    batch = f", batch of {row.manifest.batch_size}" if cost is NETWORK else ""
    return dataclasses.replace(datum, name=f"{row.name}{batch}")
