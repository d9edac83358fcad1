"""The last sections of the page: what is unfinished, how to read it, where the numbers come from."""

from src.report.section import Evidence, Section


def build(evidence: Evidence) -> list[Section]:
    """Return the sections; nothing unfinished, no section about it."""
    findings = evidence.findings
    unfinished = Section(
        anchor="unfinished",
        title="Unfinished",
        nav="unfinished",
        template="unfinished.html.jinja",
        view=findings.unfinished,
    )
    reading = Section(
        anchor="reading", title="How to read this", nav="how to read this", template="reading.html.jinja", view=None
    )
    runs = Section(anchor="runs", title="Runs", nav="runs", template="runs.html.jinja", view=findings.cells)
    return [*([unfinished] if findings.unfinished else []), reading, runs]
