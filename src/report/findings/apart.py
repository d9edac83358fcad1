"""Tables and boards that must stand apart -> in words, what each is and in what they differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from src.report.findings.row import Row
from src.report.findings.words import metres


def flatten(value: Any, name: str = "") -> dict[str, str]:
    """Return nested settings as one level of dotted names.

    >>> flatten({"a": {"b": 1}, "c": None})
    {'a.b': '1', 'c': 'None'}
    """
    if isinstance(value, dict):
        pairs = [flatten(inner, f"{name}.{key}".lstrip(".")) for key, inner in value.items()]
        return {key: text for pair in pairs for key, text in pair.items()}
    return {name: str(value)}


def differing(own: str, all_: Sequence[str]) -> str:
    """Say which settings of one set of settings, as JSON, not all sets share; "" where they agree.

    >>> differing('{"clip": [0, 10], "n": 1}', ['{"clip": [0, 10], "n": 1}', '{"clip": [0, 80], "n": 1}'])
    'clip=[0, 10]'
    """
    flat = [flatten(json.loads(one)) for one in all_]
    mine = flatten(json.loads(own))
    names = sorted({name for one in flat for name in one})
    shown = [name for name in names if len({one.get(name) for one in flat}) > 1]
    return ", ".join(f"{name.removeprefix('config.')}={mine.get(name, 'not set')}" for name in shown)


def what_differs(key: Any, rows: Mapping[Any, Sequence[Row]], twins: Sequence[Any]) -> str:
    """Say what sets one table apart from the others of its data variant and protocol.

    Args:
        key: of the table, a `Comparable`.
        rows: of all tables.
        twins: keys of those that it is to be told from, itself among them; all of one rule.
    """
    if len(twins) < 2:
        return ""
    counts = {rows[twin][0].manifest.expected for twin in twins}
    said = [differing(key.data_settings, [twin.data_settings for twin in twins])]
    count = rows[key][0].manifest.expected
    if len(counts) > 1:
        said.append(f"{count} image{'s' * (count != 1)}")
    same = [
        twin for twin in twins if (twin.data_settings, rows[twin][0].manifest.expected) == (key.data_settings, count)
    ]
    if len(same) > 1:
        pixels = {twin: int(rows[twin][0].scored.valid_pixels.sum()) for twin in same}
        said.append(f"{pixels[key]:,} valid pixels")
        if len(set(pixels.values())) < len(same):
            said.append(f"images {key.samples[:6]}")
    return ", ".join(part for part in said if part)


def facts(row: Row, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what a column counts: images, clusters, range, crop and valid pixels.

    Args:
        row: any of the table.
        settings: of the data variant.
    """
    scored, estimate = row.scored, next(iter(row.estimates.values()))
    count = row.manifest.expected
    said = [f"{count} image{'s' * (count != 1)}"]
    if estimate.clusters is not None:
        said.append(f"{estimate.clusters} scene{'s' * (estimate.clusters != 1)}")
    if isinstance(bounds := settings.get("depth_range"), list):
        said.append(f"{metres(float(bounds[0]))} to {metres(float(bounds[1]))} m")
    if (crop := settings.get("crop")) is not None:
        said.append(f"crop {_crop(crop)}")
    pixels = float(np.mean(scored.valid_pixels)) if len(scored) else 0.0
    said.append(f"{pixels / 1000:.3g} k valid pixels" if pixels >= 1000 else f"{pixels:.3g} valid pixels")
    return tuple(said)


def _crop(crop: Any) -> str:
    """Write a box (top, bottom, left, right) as numpy does, or the name of a crop."""
    if isinstance(crop, list) and len(crop) == 4:
        top, bottom, left, right = crop
        return f"{top}:{bottom}, {left}:{right}"
    return str(crop)
