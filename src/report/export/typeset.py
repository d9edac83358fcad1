"""Boards -> Markdown and LaTeX tables, as papers print them."""

import re
from collections.abc import Callable, Iterable, Sequence

from src.report.findings import words
from src.report.findings.board import Board, Entry, Grid, Line

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "δ": r"$\delta$",
    "₁": r"$_1$",
    "₂": r"$_2$",
    "₃": r"$_3$",
    "₀": r"$_0$",
    "\n": " ",
}


def latex(text: str) -> str:
    r"""Escape a name for LaTeX.

    >>> print(latex("a_b & 50 %"))
    a\_b \& 50 \%
    """
    return "".join(_LATEX.get(letter, letter) for letter in text)


def markdown(text: str) -> str:
    r"""Escape a name for a cell of a Markdown table.

    >>> print(markdown("a|b <c> *d*"))
    a\|b &lt;c> \*d\*
    """
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", text).replace("<", "&lt;").replace("\n", " ")


def markdown_tables(boards: Iterable[Board]) -> str:
    """Return every board by every metric; the best ranked value of a column is bold, the second underlined."""
    blocks = []
    for board in boards:
        for grid in board.grids:
            header = ["Model", "Rank", *(markdown(label) for label in board.labels)]
            lines = [f"| {' | '.join(header)} |", f"|:--|{'--:|' * (len(header) - 1)}"]
            lines += [f"| {' | '.join(_cells(line, grid, board, markdown, _marked))} |" for line in grid.lines]
            blocks.append(f"## {markdown(_title(board, grid))}\n\n" + "\n".join(lines) + "\n\n" + markdown(_note(grid)))
    return "\n\n".join(blocks) + "\n"


def latex_tables(boards: Iterable[Board]) -> str:
    r"""Return every board by every metric as tables of booktabs; \usepackage{booktabs} is all they need."""
    blocks = []
    for board in boards:
        for grid in board.grids:
            header = ["Model", "Rank", *(latex(label) for label in board.labels)]
            body = [" & ".join(_cells(line, grid, board, latex, _set)) + r" \\" for line in grid.lines]
            blocks.append(
                "\n".join(
                    [
                        r"\begin{table}",
                        r"  \centering",
                        rf"  \caption{{{latex(_title(board, grid))}. {latex(_note(grid))}}}",
                        rf"  \begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
                        r"    \toprule",
                        f"    {' & '.join(header)} " + r"\\",
                        r"    \midrule",
                        *(f"    {line}" for line in body),
                        r"    \bottomrule",
                        r"  \end{tabular}",
                        r"\end{table}",
                    ]
                )
            )
    return "% \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def _title(board: Board, grid: Grid) -> str:
    arrow = "higher is better" if grid.info.higher_is_better else "lower is better"
    unit = f", {grid.info.unit}" if grid.info.unit else ""
    return f"{words.metric_label(grid.metric)}{unit} under {board.protocol} version {board.version}, {arrow}"


def _note(grid: Grid) -> str:
    grey = [f"{line.name}: {', '.join(line.unranked)}" for line in grid.lines if line.unranked]
    partly = [
        f"{line.name} on {entry.row.manifest.data}: {', '.join(entry.row.unranked)}"
        for line in grid.lines
        if not line.unranked
        for entry in line.entries
        if entry is not None and entry.row.unranked
    ]
    listed = f" Not ranked, in parentheses: {'; '.join(grey + partly)}." if grey or partly else ""
    sets = len(grid.shared)
    ranks = f"Rank averaged over {sets} data set{'s' * (sets != 1)}. {grid.verdict}" if sets else ""
    return f"{ranks}{listed}".strip()


def _cells(
    line: Line, grid: Grid, board: Board, escape: Callable[[str], str], mark: Callable[[str, int | None], str]
) -> Sequence[str]:
    rank = "–" if line.rank is None else f"{line.rank.mean:.2f}"
    values = [
        _value(entry, table.decimals(grid.metric), mark)
        for entry, table in zip(line.entries, board.columns, strict=True)
    ]
    return [escape(line.name), rank, *values]


def _value(entry: Entry | None, decimals: int, mark: Callable[[str, int | None], str]) -> str:
    if entry is None or entry.estimate.mean is None:
        return "–"
    text = words.number(entry.estimate.mean, decimals)
    return f"({text})" if entry.row.unranked else mark(text, entry.place)


def _marked(text: str, place: int | None) -> str:
    return {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(place or 0, text)


def _set(text: str, place: int | None) -> str:
    return {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(place or 0, text)
