"""Show how far the cells of a sweep are: python -m src.status outputs; --failed prints commands that run the rest."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.engine.cell.lock import is_held
from src.records.status import Progress, progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 if a folder does not exist or a cell is damaged."""
    parser = argparse.ArgumentParser(prog="python -m src.status", description="How far the cells below a folder are.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("outputs")], help="default: outputs")
    parser.add_argument(
        "--failed", action="store_true", help="print a command for each cell that failed, was killed or interrupted"
    )
    options = parser.parse_args(arguments)
    for folder in options.folders:
        if not folder.is_dir():
            sys.stderr.write(f"error: {folder}: expected a folder that runs have written to, found none\n")
            return 1
    cells = sorted(progress(options.folders, is_held=is_held), key=lambda cell: cell.folder)
    if options.failed:
        for cell in cells:
            if cell.state in ("failed", "killed", "interrupted") and cell.command:
                sys.stdout.write(f"python -m src.eval {cell.command}\n")
            if cell.state == "damaged":
                sys.stderr.write(f"damaged: {cell.folder}: {cell.reason}\n")
    else:
        _print(cells, Console())
    return int(any(cell.state == "damaged" for cell in cells))


def _print(cells: Sequence[Progress], console: Console) -> None:
    table = Table(box=box.SIMPLE)
    for heading in ("state", "scored", "of", "images/s", "time left"):
        table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    table.add_column("cell and reason", overflow="fold")
    for cell in cells:
        speed = f"{cell.speed:.2f}" if cell.speed else "–"
        where = f"{cell.folder}: {cell.reason}" if cell.reason else f"{cell.folder}"
        of = str(cell.expected) if cell.expected else "?"
        table.add_row(cell.state, str(cell.scored), of, speed, _clock(cell.seconds_left), Text(where))
    console.print(table)
    counts = Counter(cell.state for cell in cells)
    console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no cells")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


if __name__ == "__main__":
    sys.exit(main())
