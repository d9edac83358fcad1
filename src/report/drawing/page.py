"""Sections -> one self-contained HTML page."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from src.core.shown import shown
from src.report.drawing import blocks
from src.report.drawing.axis import axis
from src.report.drawing.looks import looks
from src.report.drawing.sections import BUILDERS, Builder
from src.report.findings import words
from src.report.findings.evidence import Evidence
from src.report.findings.places import places
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
    held: list[blocks.Block] = []
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
        "portable": words.portable,
    }
    environment.globals |= {"block": blocks.holder(held), "look": looks(evidence.boards, evidence.trials).__getitem__}
    manifests = [cell.manifest for cell in evidence.findings.cells]
    folders = [*(cell.folder for cell in evidence.findings.cells), *evidence.findings.unfinished]
    choices = _choices(evidence)
    page = environment.get_template("page.html.jinja").render(
        sections=sections,
        protocols=choices[0],
        sets=choices[1],
        pairs=choices[2],
        place=places(folders).__getitem__,
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
    return blocks.filled(page, held)


def _choices(evidence: Evidence) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Return protocols, data variants, and which belong together, each in the order of what there is most of."""
    found = [(table.key.protocol, table.key.data) for board in evidence.boards for table in board.columns]
    found += [(trial.key.protocol, trial.key.data) for trial in evidence.trials]
    protocols = _unique(protocol for protocol, _ in found)
    pairs = {protocol: _unique(data for own, data in found if own == protocol) for protocol in protocols}
    return protocols, _unique(data for _, data in found), pairs


def _shown(value: Any) -> Any:
    """Return what a template puts into the page: text of any origin cleaned, and what is HTML already as it is."""
    return shown(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _day(moment: str) -> str:
    """Write the day of an ISO 8601 time."""
    parsed = datetime.datetime.fromisoformat(moment)
    return f"{parsed.day} {parsed:%b %Y}"
