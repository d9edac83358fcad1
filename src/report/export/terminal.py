"""Tables and boards -> the terminal."""

from rich.markup import escape
from rich.table import Table as RichTable

from src.report.findings import words
from src.report.findings.board import Board
from src.report.findings.leaderboard import Table

_ROOM_FOR_NAMES = 56
_ROOM_PER_METRIC = 10


def terminal_board(board: Board) -> RichTable | None:
    """Return the first metric of a board, with average ranks and what they mean; None where nothing is shared."""
    grid = board.grids[0]
    if len(grid.shared) < 2:
        return None
    apart = f" ({board.distinction})" if board.distinction else ""
    arrow = "↑" if grid.info.higher_is_better else "↓"
    title = f"{words.metric_label(grid.metric)} {arrow}, {board.protocol} v{board.version}{apart}, all data sets"
    drawn = RichTable(
        title=escape(title), title_justify="left", title_style="bold", box=None, header_style="dim",
        caption=escape(grid.verdict), caption_justify="left",
    )  # fmt: skip
    drawn.add_column("model", overflow="fold")
    for heading in ("rank", *board.labels):
        drawn.add_column(escape(heading), justify="right")
    for line in grid.lines:
        values = []
        for entry, table in zip(line.entries, board.columns, strict=True):
            text = words.number(entry.estimate.mean if entry else None, table.decimals(grid.metric))
            values.append(f"[bold]{text}[/bold]" if entry and entry.place == 1 else text)
        rank = words.number(line.rank.mean if line.rank else None, 2)
        drawn.add_row(escape(line.name), rank, *values, style="dim" if line.unranked else None)
    return drawn


def terminal_table(table: Table, width: int) -> RichTable:
    """Return a compact table with as many metrics as `width` characters have room for, the first with its error."""
    metrics = table.metrics[: max(1, (width - _ROOM_FOR_NAMES) // _ROOM_PER_METRIC)]
    key = table.key
    title = f"{table.title}, {key.protocol} v{key.version}, {', '.join(table.facts)}"
    drawn = RichTable(title=escape(title), title_justify="left", title_style="bold", box=None, header_style="dim")
    drawn.add_column("model", overflow="fold")
    for metric in metrics:
        arrow = "↑" if table.info.metrics[metric].higher_is_better else "↓"
        drawn.add_column(f"{escape(words.metric_label(metric))} {arrow}", justify="right", no_wrap=True)
        if metric == metrics[0]:
            drawn.add_column("± s.e.", justify="right", no_wrap=True)
    drawn.add_column("scored", justify="right")
    drawn.add_column("not ranked")
    for row in table.rows:
        numbers = []
        for metric in metrics:
            mean = row.estimates[metric].mean
            text = words.number(mean, table.decimals(metric))
            is_best = not row.unranked and mean is not None and mean == table.best(metric)
            numbers.append(f"[bold]{text}[/bold]" if is_best else text)
            if metric == metrics[0]:
                numbers.append(words.number(row.estimates[metric].standard_error, table.decimals(metric)))
        drawn.add_row(
            escape(row.name),
            *numbers,
            f"{row.manifest.scored[row.protocol]}",
            escape(", ".join(row.unranked)),
            style="dim" if row.unranked else None,
        )
    return drawn
