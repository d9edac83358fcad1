"""Two reports side by side -> CSV, Markdown and the terminal."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table as RichTable

from src.core.sheet import Sheet
from src.report.export.typeset import markdown
from src.report.findings import words
from src.report.findings.comparison import Comparison, Moved

_COLUMNS = (
    *("name", "data", "protocol", "versions", "metric", "before", "after", "difference", "low", "high", "p"),
    *("images", "changed", "alone", "outcome"),
)


def write_moved(found: Comparison, path: Path) -> None:
    """Write every number that both hold, at full precision; an undefined one is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = Sheet(file)
        writer.writerow(_COLUMNS)
        for one in found.moved:
            versions = f"{one.versions[0]} {one.versions[1]}"
            writer.writerow([versions if name == "versions" else getattr(one, name) for name in _COLUMNS])


def markdown_moved(found: Comparison) -> str:
    """Return the same as a table with its verdict."""
    lines = ["| Model | Data | Metric | Before | After | Difference | p | Moved |", "|:--|:--|:--|--:|--:|--:|--:|:--|"]
    lines += [f"| {' | '.join(map(markdown, _texts(one)))} |" for one in found.moved]
    before, after = map(markdown, found.titles)
    return f"- before: {before}\n- after: {after}\n\n{found.verdict}\n\n" + "\n".join(lines) + "\n"


def terminal_moved(found: Comparison) -> RichTable:
    """Return the numbers that moved; those that are the same are in the verdict alone."""
    drawn = RichTable(title_justify="left", box=None, header_style="dim")
    for heading in ("model", "data", "metric", "before", "after", "difference", "p", "moved"):
        drawn.add_column(heading, overflow="fold")
    for one in found.moved:
        if one.changed:
            drawn.add_row(*map(escape, _texts(one)), style="bold" if one.outcome == "beyond noise" else None)
    return drawn


def _texts(one: Moved) -> list[str]:
    return [
        one.name,
        f"{one.data}, {one.protocol}",
        words.metric_label(one.metric),
        words.number(one.before, one.decimals),
        words.number(one.after, one.decimals),
        f"{one.difference:+.2g}" if one.changed else "0",
        "–" if one.p is None else f"{one.p:.2g}",
        one.outcome,
    ]
