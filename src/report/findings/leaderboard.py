"""Cells -> tables that only hold what may be compared."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from src.records.aggregate import estimates, unranked_because
from src.records.reader import Cell
from src.records.schema import ProtocolInfo
from src.records.table import Scored
from src.report.findings.apart import facts, flatten, what_differs
from src.report.findings.competitors import aliases, competitors
from src.report.findings.row import FLOOR, Row, is_floor
from src.report.findings.words import alignment, decimals_for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """All that must agree before two cells may share a table.

    Attributes:
        data: name of the data variant.
        protocol: name of the protocol.
        version: of the protocol.
        protocol_settings: everything else that is known about the protocol, as JSON.
        rule: the same before a data variant fills it in: a clip to the depth range is one rule for all. Tables of one
            rule stand on one board.
        data_settings: of the data variant, as JSON.
        samples: hash of the sample ids and of the number of valid pixels of each.
    """

    data: str
    protocol: str
    version: int
    protocol_settings: str
    rule: str
    data_settings: str
    samples: str


Groups = Mapping[Comparable, Sequence[Row]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that may be compared with one another, ranked ones first, best first by the first metric.

    Attributes:
        key: what the rows have in common.
        info: the protocol when it was applied.
        depth_range: (nearest, farthest) metres of ground truth that counts, or None where the records do not say.
        rows: at least one; those that differ in the seed alone are one, and so are exact duplicates.
        measured: the same, one row for each cell.
        apart: why other cells of this data variant and protocol are in another table; empty where there are none.
        distinction: what this table is, in words, where there are others; "" where there is only one.
        facts: what the table counts: images, scenes, range, crop, valid pixels.
    """

    key: Comparable
    info: ProtocolInfo
    depth_range: tuple[float, float] | None
    rows: tuple[Row, ...]
    measured: tuple[Row, ...]
    apart: tuple[str, ...]
    distinction: str
    facts: tuple[str, ...]

    @property
    def title(self) -> str:
        """The data variant, and what sets this table apart if its protocol has several of it."""
        return f"{self.key.data} ({self.distinction})" if self.distinction else self.key.data

    @property
    def alignment(self) -> str:
        """What the protocol does to a prediction before scoring it, in words."""
        shifts = (row.cell.scores[row.protocol].shift for row in self.rows)
        shifted = any(bool(np.nan_to_num(shift).any()) for shift in shifts)
        return alignment(self.info.fitted_in, shifted=shifted)

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The rows that compete."""
        return tuple(row for row in self.rows if not row.unranked)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.info.metrics)

    def decimals(self, metric: str) -> int:
        """Return how many decimals the column needs: four for fractions, else what ranked rows (or all) ask for."""
        if self.info.metrics[metric].unit == "fraction":
            return 4
        deciding = self.ranked or self.rows
        return decimals_for(row.estimates[metric].mean for row in deciding)

    def best(self, metric: str) -> float | None:
        """Return the best mean among ranked rows, or None where no row is ranked."""
        return next(iter(self._places(metric)), None)

    def second(self, metric: str) -> float | None:
        """Return the second best mean among ranked rows, or None where there is none that differs from the best."""
        return next(iter(self._places(metric)[1:]), None)

    def _places(self, metric: str) -> list[float]:
        means = {row.estimates[metric].mean for row in self.ranked} - {None}
        return sorted((mean for mean in means if mean is not None), reverse=self.info.metrics[metric].higher_is_better)


def build_tables(cells: Iterable[Cell]) -> list[Table]:
    """Sort cells into tables: one per data variant and protocol, and more where cells must not be mixed."""
    return tables_of(comparable_rows(cells))


def tables_of(rows: Groups) -> list[Table]:
    """Make a table of each group of rows.

    Cells of corrupted images are in none of them; `src.report.findings.robustness` has them.

    Returns:
        Tables in order of data variant, then in the order in which the protocols were applied.
    """
    clean = {key: [row for row in group if row.manifest.corruption == "none"] for key, group in rows.items()}
    groups = {key: group for key, group in clean.items() if group}
    order = {protocol: place for place, protocol in enumerate(dict.fromkeys(key.protocol for key in groups))}

    def place(key: Comparable) -> tuple[str, int, int, int]:
        return key.data, order[key.protocol], key.version, -groups[key][0].manifest.expected

    keys = sorted(groups, key=place)
    measured = {key: _without_repeats(groups[key]) for key in keys}
    joined = {key: competitors(measured[key]) for key in keys}
    renamed = aliases(joined.values())
    return [_table(key, measured, _renamed(joined[key], renamed), keys) for key in keys]


def _renamed(rows: Sequence[Row], renamed: Mapping[str, str]) -> list[Row]:
    return [dataclasses.replace(row, alias=renamed[row.name]) if row.name in renamed else row for row in rows]


def comparable_rows(cells: Iterable[Cell], *, floors: bool = False) -> Groups:
    """Return the rows of all cells, clean or corrupted, by what must agree between them.

    Args:
        cells: finished ones.
        floors: whether baselines that ignore the image compete; they do anyway where nothing else could be ranked.
    """
    cells = tuple(cells)
    compete = floors or not any(
        not is_floor(cell.manifest) and not unranked_because(cell.manifest, protocol)
        for cell in cells
        for protocol in cell.manifest.protocols
    )
    groups: dict[Comparable, list[Row]] = {}
    for cell, variant in zip(cells, _variants(cells), strict=True):
        values = estimates(cell.scores)
        for protocol in cell.manifest.protocols:
            row = Row(
                cell=cell,
                protocol=protocol,
                estimates=values[protocol],
                unranked=(
                    *unranked_because(cell.manifest, protocol),
                    *((FLOOR,) if is_floor(cell.manifest) and not compete else ()),
                ),
                variant=variant,
                input_sizes=_input_sizes(cell.scores[protocol]),
            )
            groups.setdefault(_comparable(cell, protocol), []).append(row)
    return groups


def _comparable(cell: Cell, protocol: str) -> Comparable:
    config, info = cell.manifest.config, cell.manifest.protocols[protocol]
    settings = {
        "info": dataclasses.asdict(info),
        "config": _mapping(config.get("protocol")).get(protocol),
    }
    return Comparable(
        data=cell.manifest.data,
        protocol=protocol,
        version=info.version,
        protocol_settings=_canonical(settings),
        rule=_canonical(_rule(settings)),
        data_settings=_canonical(config.get("data")),
        samples=_hash_of_samples(cell.scores[protocol]),
    )


def _rule(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the metres of a clip that the protocol takes from the data variant."""
    config = settings["config"]
    taken = isinstance(config, dict) and isinstance(config.get("clip"), str)
    return {**settings, "info": {k: v for k, v in settings["info"].items() if not (taken and k == "clip")}}


def _apart(key: Comparable, keys: Iterable[Comparable]) -> tuple[str, ...]:
    others = [other for other in keys if (other.data, other.protocol) == (key.data, key.protocol)]
    names = {
        "version": "the protocol version",
        "protocol_settings": "the settings of the protocol",
        "data_settings": "the settings of the data variant",
        "samples": "the images or their valid pixels",
    }
    if len({other.version for other in others}) > 1:
        del names["protocol_settings"]  # differs too, and says nothing more
    return tuple(words for field, words in names.items() if len({getattr(other, field) for other in others}) > 1)


def _table(
    key: Comparable, measured: Mapping[Comparable, Sequence[Row]], rows: Sequence[Row], keys: Sequence[Comparable]
) -> Table:
    info = rows[0].manifest.protocols[key.protocol]
    first = next(iter(info.metrics))
    sign = -1 if info.metrics[first].higher_is_better else 1
    twins = [
        other
        for other in keys
        if (other.data, other.protocol, other.version, other.rule) == (key.data, key.protocol, key.version, key.rule)
    ]

    def place(row: Row) -> tuple[bool, float, str]:
        mean = row.estimates[first].mean
        return bool(row.unranked), float("inf") if mean is None else sign * mean, row.name

    settings = _mapping(rows[0].manifest.config.get("data"))
    depth_range = settings.get("depth_range")
    return Table(
        key=key,
        info=info,
        depth_range=(float(depth_range[0]), float(depth_range[1])) if isinstance(depth_range, list) else None,
        rows=tuple(sorted(rows, key=place)),
        measured=tuple(sorted(measured[key], key=place)),
        apart=_apart(key, keys),
        distinction=what_differs(key, measured, twins),
        facts=facts(rows[0], settings),
    )


def _without_repeats(rows: Sequence[Row]) -> list[Row]:
    """Of cells that measured the same thing, such as under other protocols besides, let only the latest compete."""
    latest: dict[str, Row] = {}
    for row in rows:
        if row.name not in latest or row.manifest.finished > latest[row.name].manifest.finished:
            latest[row.name] = row
    return [
        row if latest[row.name] is row else dataclasses.replace(row, unranked=(*row.unranked, "measured again later"))
        for row in rows
    ]


def _variants(cells: Sequence[Cell]) -> list[str]:
    """Say for each cell what sets it apart from the others of the same model and resolution."""
    settings = [
        flatten({**{key: cell.manifest.config.get(key) for key in ("model", "seed")}, **cell.manifest.compute})
        for cell in cells
    ]
    twins: dict[tuple[str, str], list[dict[str, str]]] = {}
    for cell, own in zip(cells, settings, strict=True):
        twins.setdefault(_identity(cell), []).append(own)
    texts = []
    for cell, own in zip(cells, settings, strict=True):
        differing = [key for key in own if len({twin.get(key) for twin in twins[_identity(cell)]}) > 1]
        # the seed of the run is also handed to the model
        shown = [key for key in differing if not (key == "model.seed" and "seed" in differing)]
        texts.append(", ".join(f"{key.removeprefix('model.')}={own[key]}" for key in shown))
    return texts


def _identity(cell: Cell) -> tuple[str, str]:
    return cell.manifest.model, cell.manifest.resolution


def _input_sizes(scored: Scored) -> tuple[tuple[int, int], ...]:
    sizes: list[list[int]] = np.unique(scored.input_size, axis=0).tolist()
    return tuple((height, width) for height, width in sizes)


def _hash_of_samples(scored: Scored) -> str:
    """Hash which images were scored, in whatever order, and how many pixels of each."""
    order = np.argsort(scored.sample_id)
    lines = zip(scored.sample_id[order].tolist(), scored.valid_pixels[order].tolist(), strict=True)
    return hashlib.sha256("\n".join(f"{pixels} {name}" for name, pixels in lines).encode()).hexdigest()[:12]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
