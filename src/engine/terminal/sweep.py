"""How the cells of a sweep report how they ended, whichever process or machine ran them."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.core.shown import shown

CellStatus = Literal["done", "failed"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """How one cell of a sweep ended.

    Attributes:
        job: number of the cell in the sweep.
        overrides: what this cell sets, as on the command line.
        status: done or failed.
        detail: the cell's folder, or the reason of the failure.
    """

    job: int
    overrides: str
    status: CellStatus
    detail: str


def stop_file(ledger: Path) -> Path:
    """Where a sweep says to the processes of its cells that they are to stop."""
    return ledger.with_suffix(".stop")


def report(ledger: Path, outcome: CellOutcome) -> None:
    """Append one line; a single small write, so that cells of parallel processes do not mix."""
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(outcome), ensure_ascii=False) + "\n")


def read(ledger: Path) -> list[CellOutcome]:
    """Return the outcomes reported so far, in order of the sweep."""
    if not ledger.is_file():
        return []
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return sorted((CellOutcome(**json.loads(line)) for line in lines), key=lambda outcome: outcome.job)


def print_outcomes(outcomes: Sequence[CellOutcome], console: Console) -> None:
    """Print one line per cell and a count."""
    table = Table(title="cells of this sweep", box=box.SIMPLE)
    table.add_column("status")
    table.add_column("cell", overflow="fold")
    table.add_column("folder or reason", overflow="fold")
    for outcome in outcomes:
        table.add_row(outcome.status, Text(shown(outcome.overrides)), Text(shown(outcome.detail)))
    console.print(table)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    console.print(f"{len(outcomes) - failed} done, {failed} failed", highlight=False)
