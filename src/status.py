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

from src.core.errors import ConfigError
from src.core.shown import shown
from src.core.terminal import terminal
from src.engine.cell.lock import is_held
from src.records.status import Progress, progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 if a folder does not exist or a command is left out."""
    parser = argparse.ArgumentParser(prog="python -m src.status", description="How far the cells below a folder are.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("outputs")], help="default: outputs")
    parser.add_argument(
        "--failed", action="store_true", help="print a command for each cell that failed, was killed or interrupted"
    )
    options = parser.parse_args(arguments)
    for folder in options.folders:
        if not folder.is_dir():
            sys.stderr.write(f"error: {shown(str(folder))}: expected a folder that runs have written to, found none\n")
            return 1
    cells = sorted(progress(options.folders, is_held=is_held), key=lambda cell: cell.folder)
    code = 0
    if options.failed:
        for cell in cells:
            if cell.state in ("failed", "killed", "interrupted") and cell.command:
                code = max(code, _print_command(cell))
    else:
        _print(cells, terminal())
    return code


def _print_command(cell: Progress) -> int:
    """Print the command of a cell if a shell may read it unseen; otherwise say why not and return 1."""
    from src.engine.terminal.again import command_again, names_code  # imports hydra, which the table need not pay

    try:
        command = command_again("python -m src.eval", cell.command)
    except ConfigError as error:
        sys.stderr.write(f"{shown(str(cell.folder))}: its command is left out, since it holds {shown(str(error))}\n")
        return 1
    code = names_code(command)
    if code:
        sys.stderr.write(
            f"{shown(str(cell.folder))}: its command says which code to run ({shown(' '.join(code))}) and stands "
            "behind a #: run it yourself if it is yours\n"
        )
    sys.stdout.write(f"{'# ' * bool(code)}{command}\n")
    return int(bool(code))


def _print(cells: Sequence[Progress], console: Console) -> None:
    table = Table(box=box.SIMPLE)
    for heading in ("state", "scored", "of", "images/s", "time left"):
        table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    table.add_column("cell and reason", overflow="fold")
    for cell in cells:
        speed = f"{cell.speed:.2f}" if cell.speed else "–"
        where = f"{cell.folder}: {cell.reason}" if cell.reason else f"{cell.folder}"
        of = str(cell.expected) if cell.expected else "?"
        state = Text(shown(cell.state))
        table.add_row(state, str(cell.scored), of, speed, _clock(cell.seconds_left), Text(shown(where)))
    console.print(table)
    counts = Counter(cell.state for cell in cells)
    console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no cells", markup=False)


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


if __name__ == "__main__":
    sys.exit(main())
