"""The sections of the page that sets two reports side by side."""

from src.report.drawing.sections import Builder, Section
from src.report.findings.comparison import Comparison
from src.report.findings.evidence import Evidence


def side_by_side(found: Comparison) -> tuple[Builder, ...]:
    """Return the builders of a page: which numbers moved, and the runs they are from."""

    def comparison(_: Evidence) -> list[Section]:
        return [
            Section(
                anchor="comparison",
                title="Which numbers moved?",
                nav="which numbers moved",
                template="comparison.html.jinja",
                view=found,
                brief=True,
                styles=("board.css",),
            )
        ]

    def runs(evidence: Evidence) -> list[Section]:
        return [
            Section(anchor="runs", title="Runs", nav="runs", template="runs.html.jinja", view=evidence.findings.cells)
        ]

    return comparison, runs
