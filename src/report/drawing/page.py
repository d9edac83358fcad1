"""Sections -> one self-contained HTML page."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from src.core.shown import shown
from src.report.drawing.axis import axis
from src.report.drawing.sections import BUILDERS, Builder
from src.report.findings import words
from src.report.findings.evidence import Evidence
from src.report.findings.row import has_network


def render_page(evidence: Evidence, *, written: datetime.datetime, builders: Sequence[Builder] = BUILDERS) -> str:
    """Return the page as HTML.

    Args:
        evidence: what to report.
        written: the time to state on the page.
        builders: of the sections.

    Raises:
        RecordsError: if a file of panels is broken.
    """
    sections = [section for build in builders for section in build(evidence)]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "metric_label": words.metric_label,
        "breakable": words.breakable,
        "signed": words.signed,
        "number": words.number,
        "metres": words.metres,
        "count": words.count,
        "speed": words.speed,
        "seconds": words.seconds,
        "day": _day,
    }
    manifests = [cell.manifest for cell in evidence.findings.cells]
    return environment.get_template("page.html.jinja").render(
        sections=sections,
        styles=_unique(name for section in sections for name in section.styles),
        scripts=_unique(name for section in sections for name in section.scripts),
        cells=evidence.findings.cells,
        models=sorted({manifest.model for manifest in manifests}),
        data=sorted({manifest.data for manifest in manifests}),
        first=min(manifest.finished for manifest in manifests),
        last=max(manifest.finished for manifest in manifests),
        written=written,
        axis=axis,
        has_network=has_network,
    )


def _shown(value: Any) -> Any:
    """Return what a template puts into the page: text of any origin cleaned, and what is HTML already as it is."""
    return shown(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _day(moment: str) -> str:
    """Write the day of an ISO 8601 time."""
    parsed = datetime.datetime.fromisoformat(moment)
    return f"{parsed.day} {parsed:%b %Y}"
