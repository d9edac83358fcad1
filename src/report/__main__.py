"""Write a report: python -m src.report outputs."""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from src.core.errors import LeadlineError
from src.report.cells import find
from src.report.leaderboard import build_tables
from src.report.page import render_page
from src.report.spreadsheet import write_csv
from src.report.terminal import terminal_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 after an error message."""
    parser = argparse.ArgumentParser(
        prog="python -m src.report",
        description="Read finished cells and write one self-contained HTML page, with leaderboard.csv beside it.",
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[Path("outputs")], help="cells, or folders of cells (default: outputs)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/report.html"), help="the page to write (default: %(default)s)"
    )
    parser.add_argument(
        "--images", type=int, default=2, help="how many images of each cell to show (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        _write(options.folders, options.output, options.images)
    except LeadlineError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _write(folders: Sequence[Path], output: Path, images: int) -> None:
    findings = find(folders)
    tables = build_tables(findings.cells)
    page = render_page(findings, tables, written=datetime.datetime.now(datetime.UTC), images=images)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    write_csv(tables, output.with_name("leaderboard.csv"))
    console = Console()
    for table in tables:
        console.print(terminal_table(table, console.width), "")
    for folder in findings.unfinished:
        console.print(f"unfinished: {folder}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{output}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
