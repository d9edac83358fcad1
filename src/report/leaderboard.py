"""Cells -> tables that only hold what may be compared."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from src.records.aggregate import Estimate, estimates, unranked_because
from src.records.reader import Cell
from src.records.schema import ProtocolInfo, RunManifest
from src.records.table import Scored
from src.report.words import alignment, decimals_for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell under one protocol.

    Attributes:
        cell: where the numbers come from.
        protocol: its name.
        estimates: metric -> mean with uncertainty.
        unranked: the reasons why the row is not ranked; empty where it is.
        variant: what sets the row apart from others of the same model and resolution; "" where nothing need be said.
        input_sizes: distinct (height, width) the network saw, in pixels.
    """

    cell: Cell
    protocol: str
    estimates: Mapping[str, Estimate]
    unranked: tuple[str, ...]
    variant: str
    input_sizes: tuple[tuple[int, int], ...]

    @property
    def manifest(self) -> RunManifest:
        """Of the cell."""
        return self.cell.manifest

    @property
    def name(self) -> str:
        """Model, resolution and whatever else it takes to tell the row from the others of its table."""
        asked = "" if self.manifest.resolution == "default" else f"at {self.manifest.resolution}"
        return " ".join(part for part in (self.manifest.model, asked, self.variant) if part)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """All that must agree before two cells may share a table.

    Attributes:
        data: name of the data variant.
        protocol: name of the protocol.
        version: of the protocol.
        protocol_settings: everything else that is known about the protocol, as JSON.
        data_settings: of the data variant, as JSON.
        samples: hash of the sample ids and of the number of valid pixels of each.
    """

    data: str
    protocol: str
    version: int
    protocol_settings: str
    data_settings: str
    samples: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that may be compared with one another, ranked ones first, best first by the first metric.

    Attributes:
        key: what the rows have in common.
        info: the protocol when it was applied.
        depth_range: (nearest, farthest) metres of ground truth that counts, or None where the records do not say.
        rows: at least one.
        apart: why other cells of this data variant and protocol are in another table; empty where there are none.
    """

    key: Comparable
    info: ProtocolInfo
    depth_range: tuple[float, float] | None
    rows: tuple[Row, ...]
    apart: tuple[str, ...]

    @property
    def alignment(self) -> str:
        """What the protocol does to a prediction before scoring it, in words."""
        shifts = (row.cell.scores[row.protocol].shift for row in self.rows)
        shifted = any(bool(np.nan_to_num(shift).any()) for shift in shifts)
        return alignment(self.info.fitted_in, shifted=shifted)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.info.metrics)

    def decimals(self, metric: str) -> int:
        """Return how many decimals the column needs: four for fractions, else what ranked rows (or all) ask for."""
        if self.info.metrics[metric].unit == "fraction":
            return 4
        deciding = [row for row in self.rows if not row.unranked] or self.rows
        return decimals_for(row.estimates[metric].mean for row in deciding)

    def best(self, metric: str) -> float | None:
        """Return the best mean among ranked rows, or None where no row is ranked."""
        means = [row.estimates[metric].mean for row in self.rows if not row.unranked]
        known = [mean for mean in means if mean is not None]
        pick = max if self.info.metrics[metric].higher_is_better else min
        return pick(known, default=None)


def build_tables(cells: Iterable[Cell]) -> list[Table]:
    """Sort cells into tables: one per data variant and protocol, and more where cells must not be mixed.

    Returns:
        Tables in order of data variant, then in the order in which the protocols were applied.
    """
    groups: dict[Comparable, list[tuple[Cell, Mapping[str, Estimate]]]] = {}
    for cell in cells:
        values = estimates(cell.scores)
        for protocol in cell.manifest.protocols:
            key = _comparable(cell, protocol)
            groups.setdefault(key, []).append((cell, values[protocol]))
    order = {protocol: place for place, protocol in enumerate(dict.fromkeys(key.protocol for key in groups))}

    def place(key: Comparable) -> tuple[str, int, int, int]:
        return key.data, order[key.protocol], key.version, -groups[key][0][0].manifest.expected

    return [_table(key, groups[key], _apart(key, groups)) for key in sorted(groups, key=place)]


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
        data_settings=_canonical(config.get("data")),
        samples=_hash_of_samples(cell.scores[protocol]),
    )


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


def _table(key: Comparable, members: Sequence[tuple[Cell, Mapping[str, Estimate]]], apart: tuple[str, ...]) -> Table:
    variants = _variants([cell for cell, _ in members])
    rows = [
        Row(
            cell=cell,
            protocol=key.protocol,
            estimates=values,
            unranked=unranked_because(cell.manifest, key.protocol),
            variant=variant,
            input_sizes=_input_sizes(cell.scores[key.protocol]),
        )
        for (cell, values), variant in zip(members, variants, strict=True)
    ]
    info = members[0][0].manifest.protocols[key.protocol]
    first = next(iter(info.metrics))
    sign = -1 if info.metrics[first].higher_is_better else 1

    def place(row: Row) -> tuple[bool, float, str]:
        mean = row.estimates[first].mean
        return bool(row.unranked), float("inf") if mean is None else sign * mean, row.name

    depth_range = _mapping(members[0][0].manifest.config.get("data")).get("depth_range")
    return Table(
        key=key,
        info=info,
        depth_range=(float(depth_range[0]), float(depth_range[1])) if isinstance(depth_range, list) else None,
        rows=tuple(sorted(rows, key=place)),
        apart=apart,
    )


def _variants(cells: Sequence[Cell]) -> list[str]:
    """Say for each cell what sets it apart from the others of the same model and resolution."""
    settings = [_flatten({key: cell.manifest.config.get(key) for key in ("model", "seed")}) for cell in cells]
    texts = []
    for cell, own in zip(cells, settings, strict=True):
        twins = [other for twin, other in zip(cells, settings, strict=True) if _identity(twin) == _identity(cell)]
        differing = [key for key in own if len({twin.get(key) for twin in twins}) > 1]
        texts.append(", ".join(f"{key.removeprefix('model.')}={own[key]}" for key in differing))
    return texts


def _identity(cell: Cell) -> tuple[str, str]:
    return cell.manifest.model, cell.manifest.resolution


def _flatten(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        pairs = [_flatten(inner, f"{name}.{key}".lstrip(".")) for key, inner in value.items()]
        return {key: text for pair in pairs for key, text in pair.items()}
    return {name: str(value)}


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
