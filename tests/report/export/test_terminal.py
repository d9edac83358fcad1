import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from src.records.reader import read_cell
from src.report.export.terminal import terminal_table
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def drawn(width: int, *folders: Path) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in build_tables([read_cell(folder) for folder in folders]):
        console.print(terminal_table(table, width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_wide_terminal_shows_every_metric(make_cell: Make) -> None:
    text = drawn(140, make_cell(images=3, model="midas", random_weights=True))
    assert "rooms, metric v1, 3 images" in text
    for part in ("AbsRel ↓", "RMSE ↓", "SILog ↓", "δ₁ ↑", "midas", "random weights"):
        assert part in text


def test_a_narrow_one_shows_the_first(make_cell: Make) -> None:
    text = drawn(60, make_cell())
    assert "AbsRel" in text
    assert "RMSE" not in text
    assert max(map(len, text.splitlines())) <= 60


def test_names_are_not_markup(make_cell: Make) -> None:
    assert "[bold]x[/bold]" in drawn(120, make_cell(model="[bold]x[/bold]", data="[red]y"))
