"""The section with one line per image and one column per model: what every mean is a mean of."""

import base64
import dataclasses
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from src.report.findings import words
from src.report.findings.leaderboard import Table

MAX_BYTES: Final = 8_000_000
"""All sheets of a page together; the first metric of every table comes before the others."""
NONE: Final = 2**32 - 1
"""Code of what is no number; the code before is that of what is too large for one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """What the page's script draws.

    Attributes:
        content: of the page's JSON: `images`, lists of images that sheets share, and `sheets`, one for each table.
        left_out: metrics of tables that found no room.
        megabytes: the room that there is.
    """

    content: dict[str, Any]
    left_out: int
    megabytes: int


def build_sheets(tables: Sequence[Table], *, room: int = MAX_BYTES) -> Sheets:
    """Pack the values of all images, the first metric of every table first, as long as there is room.

    Args:
        tables: of the leaderboard, each with its rows.
        room: bytes of the values of all metrics together.
    """
    images: dict[tuple[str, str], dict[str, str]] = {}
    sheets: list[dict[str, Any]] = []
    for table in tables:
        key = (table.key.data, table.key.samples)
        images.setdefault(key, _images(table))
        sheets.append(_sheet(table, list(images).index(key)))
    wanted = [(rank, place) for place, table in enumerate(tables) for rank in range(len(table.metrics))]
    left_out = 0
    for rank, place in sorted(wanted):
        if room <= 0:
            left_out += 1
            continue
        metric = _metric(tables[place], tables[place].metrics[rank])
        room -= len(metric["values"])
        sheets[place]["metrics"].append(metric)
    content = {"images": list(images.values()), "sheets": [sheet for sheet in sheets if sheet["metrics"]]}
    return Sheets(content=content, left_out=left_out, megabytes=MAX_BYTES // 1_000_000)


def _images(table: Table) -> dict[str, str]:
    """Describe the images that the rows of a table share, in the order of their names."""
    scored = table.measured[0].scored
    order = np.argsort(scored.sample_id, kind="stable")
    return {
        "names": _pack_text(scored.sample_id[order].tolist()),
        "slices": _pack_text(scored.slice[order].tolist()),
        "pixels": pack(scored.valid_pixels[order].astype(np.float64), 0),
    }


def _sheet(table: Table, images: int) -> dict[str, Any]:
    statuses = [_in_order(table, row.scored.status, place) for place, row in enumerate(table.measured)]
    codes = np.select([np.stack(statuses) == "ok", np.stack(statuses) == "failed"], [0, 1], 2).astype(np.uint8)
    return {
        "data": table.key.data,
        "protocol": table.key.protocol,
        "title": table.title,
        "label": f"{table.key.protocol} v{table.key.version}",
        "images": images,
        "models": [{"name": row.name, "unranked": bool(row.unranked)} for row in table.measured],
        "status": _deflated(codes.tobytes()),
        "metrics": [],
    }


def _metric(table: Table, metric: str) -> dict[str, Any]:
    info = table.info.metrics[metric]
    decimals = table.decimals(metric)
    values = [_in_order(table, row.scored.errors[metric], place) for place, row in enumerate(table.measured)]
    return {
        "label": words.metric_label(metric),
        "unit": info.unit,
        "higher": info.higher_is_better,
        "decimals": decimals,
        "values": pack(np.concatenate(values), decimals),
    }


def _in_order(table: Table, column: Shaped[np.ndarray, " n"], place: int) -> Shaped[np.ndarray, " n"]:
    """Put a column of one row in the order of the names of its images."""
    return column[np.argsort(table.measured[place].scored.sample_id, kind="stable")]


def pack(values: Float[np.ndarray, " n"], decimals: int) -> str:
    """Return numbers as text: rounded to what is shown, as 32-bit whole numbers with the sign in the lowest bit.

    All highest bytes come before all next ones, deflated, base64. NaN and what is too large have the two highest codes.
    The page's script holds the way back.
    """
    scaled = np.rint(values * 10.0**decimals)
    codes = np.where(scaled < 0, -2 * scaled - 1, 2 * scaled)
    codes = np.where(np.isnan(codes), NONE, np.minimum(codes, NONE - 1)).astype(">u4")
    return _deflated(codes.view(np.uint8).reshape(-1, 4).T.tobytes())


def _pack_text(lines: Iterable[str]) -> str:
    return _deflated("\n".join(line.replace("\n", " ") for line in lines).encode())


def _deflated(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")
