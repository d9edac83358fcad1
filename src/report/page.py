"""Tables and pictures -> one self-contained HTML page."""

import dataclasses
import datetime
import itertools
from collections.abc import Sequence
from pathlib import Path

import jinja2

from src.records.aggregate import RESAMPLES, Estimate
from src.report import pictures, words
from src.report.cells import Findings
from src.report.leaderboard import Table
from src.report.panels import Picture, build_pictures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything about one data variant.

    Attributes:
        data: its name.
        tables: at least one.
        pictures: of some of its images; may be empty.
        not_applicable: protocol -> models that it cannot score.
    """

    data: str
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    not_applicable: dict[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The horizontal axis that the intervals of one table are drawn on, from `start` to `end`."""

    start: float
    end: float

    def percent(self, value: float) -> float:
        """Return where a value lies, 0 to 100."""
        return round(100 * (value - self.start) / (self.end - self.start), 2)


def render_page(findings: Findings, tables: Sequence[Table], *, written: datetime.datetime, images: int) -> str:
    """Return the page as HTML.

    Args:
        findings: what to report.
        tables: built from it.
        written: the time to state on the page.
        images: how many images of each cell are shown.

    Raises:
        RecordsError: if a file of panels is broken.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metric_label": words.metric_label,
        "number": words.number,
        "metres": words.metres,
        "count": words.count,
        "speed": words.speed,
        "day": _day,
    }
    manifests = [cell.manifest for cell in findings.cells]
    return environment.get_template("page.html.jinja").render(
        sections=_sections(findings, tables, images=images),
        cells=findings.cells,
        unfinished=findings.unfinished,
        models=sorted({manifest.model for manifest in manifests}),
        first=min(manifest.finished for manifest in manifests),
        last=max(manifest.finished for manifest in manifests),
        written=written,
        axis=axis,
        depth_bar=pictures.data_uri(pictures.colour_bar(pictures.DEPTH_COLOURS), lossless=True),
        error_bar=pictures.data_uri(pictures.colour_bar(pictures.ERROR_COLOURS), lossless=True),
        error_percent=round(100 * pictures.ERROR_LIMIT),
        invalid=pictures.INVALID,
        broken=pictures.BROKEN,
        resamples=RESAMPLES,
    )


def _sections(findings: Findings, tables: Sequence[Table], *, images: int) -> list[Section]:
    sections = []
    for data, group in itertools.groupby(tables, lambda table: table.key.data):
        members = tuple(group)
        section = Section(
            data=data,
            tables=members,
            pictures=tuple(build_pictures(members, count=images)),
            not_applicable={
                table.key.protocol: _models_without(table.key.protocol, data, findings) for table in members
            },
        )
        sections.append(section)
    return sections


def _models_without(protocol: str, data: str, findings: Findings) -> tuple[str, ...]:
    manifests = [cell.manifest for cell in findings.cells]
    return tuple(sorted({one.model for one in manifests if one.data == data and protocol in one.not_applicable}))


def axis(found: Sequence[Estimate]) -> Axis | None:
    """Return an axis that holds all intervals with a margin, or None where there is no interval."""
    ends = [end for estimate in found for end in (estimate.low, estimate.mean, estimate.high) if end is not None]
    if all(estimate.low is None for estimate in found):
        return None
    margin = 0.06 * (max(ends) - min(ends)) or 0.06 * abs(ends[0]) or 1.0
    start = min(ends) - margin
    # errors are never negative: an axis that says so would puzzle
    return Axis(start=max(start, 0.0) if min(ends) >= 0 else start, end=max(ends) + margin)


def _day(moment: str) -> str:
    """Write the day of an ISO 8601 time."""
    parsed = datetime.datetime.fromisoformat(moment)
    return f"{parsed.day} {parsed:%b %Y}"
