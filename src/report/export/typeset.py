"""Boards -> Markdown and LaTeX tables, as papers print them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from src.core.shown import shown
from src.report.findings import words
from src.report.findings.board import Board, Entry, Grid, Line
from src.report.findings.robustness import Hardiness, Trial

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
    return "".join(_LATEX.get(letter, letter) for letter in shown(text, lines=True))


def markdown(text: str) -> str:
    r"""Escape a name for a cell of a Markdown table.

    >>> print(markdown("a|b <c> *d*"))
    a\|b &lt;c> \*d\*
    """
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", shown(text, lines=True)).replace("<", "&lt;").replace("\n", " ")


def markdown_tables(boards: Iterable[Board]) -> str:
    """Return every board by every metric; the best ranked value of a column is bold, the second underlined."""
    blocks = []
    for board in boards:
        for grid in board.grids:
            header = ["Model", "Rank", *(markdown(label) for label in board.labels)]
            lines = [f"| {' | '.join(header)} |", f"|:--|{'--:|' * (len(header) - 1)}"]
            lines += [f"| {' | '.join(_cells(line, grid, board, markdown, _marked))} |" for line in grid.lines]
            blocks.append(
                f"## {markdown(_title(board, grid))}\n\n" + "\n".join(lines) + "\n\n" + markdown(_note(grid, board))
            )
    return "\n\n".join(blocks) + "\n"


def markdown_robustness(found: Iterable[Trial]) -> str:
    """Return mCE and mRR of every data set and protocol."""
    blocks = []
    for one in found:
        header = ["Model", "mCE, %", "95 % interval", "mRR, %", "95 % interval"]
        lines = [f"| {' | '.join(header)} |", "|:--|--:|--:|--:|--:|"]
        lines += [f"| {' | '.join(map(markdown, _hardiness(one, model)))} |" for model in one.models]
        blocks.append(f"## {markdown(_trial_title(one))}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def latex_robustness(found: Iterable[Trial]) -> str:
    """Return the same as tables of booktabs."""
    header = list(map(latex, ("Model", "mCE, %", "95 % interval", "mRR, %", "95 % interval")))
    blocks = [
        _latex_table(
            _trial_title(one), "lrrrr", header, [list(map(latex, _hardiness(one, model))) for model in one.models]
        )
        for one in found
    ]
    return "% \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def _trial_title(one: Trial) -> str:
    baseline = f"baseline of mCE: {one.baseline.name}" if one.baseline else "no baseline"
    return f"Corrupted images of {one.key.data} under {one.key.protocol} version {one.key.version}, {baseline}"


def _hardiness(one: Trial, model: Hardiness) -> list[str]:
    def written(values: Mapping[str, float], ends: Mapping[str, tuple[float, float]]) -> list[str]:
        interval = ends.get(model.name)
        text = "–" if interval is None else f"{words.number(interval[0], 1)} to {words.number(interval[1], 1)}"
        return [words.number(values.get(model.name), 1), text]

    return [model.name, *written(one.mce, one.mce_intervals), *written(one.mrr, one.mrr_intervals)]


def latex_tables(boards: Iterable[Board]) -> str:
    r"""Return every board by every metric as tables of booktabs; \usepackage{booktabs} is all they need."""
    blocks = []
    for board in boards:
        for grid in board.grids:
            header = ["Model", "Rank", *(latex(label) for label in board.labels)]
            body = [list(_cells(line, grid, board, latex, _set)) for line in grid.lines]
            caption = f"{_title(board, grid)}. {_note(grid, board)}"
            blocks.append(_latex_table(caption, f"l{'r' * (len(header) - 1)}", header, body))
    return "% \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def _latex_table(caption: str, columns: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return one table; all but the caption is escaped already."""
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{latex(caption)}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            f"    {' & '.join(header)} " + r"\\",
            r"    \midrule",
            *(f"    {' & '.join(line)} " + r"\\" for line in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def _title(board: Board, grid: Grid) -> str:
    arrow = "higher is better" if grid.info.higher_is_better else "lower is better"
    unit = f", {grid.info.unit}" if grid.info.unit else ""
    apart = f" ({board.distinction})" if board.distinction else ""
    return f"{words.metric_label(grid.metric)}{unit} under {board.protocol} version {board.version}{apart}, {arrow}"


def _note(grid: Grid, board: Board) -> str:
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
    left_out = f" Not in the rank: {'; '.join(grid.left_out)}." if grid.left_out else ""
    seeds = [f"{line.name} over seeds {', '.join(map(str, line.row.seeds))}" for line in grid.lines if line.row.seeds]
    means = f" Mean of seeds: {'; '.join(seeds)}." if seeds else ""
    return f"{ranks}{left_out}{means}{listed} {_columns(board)}".strip()


def _columns(board: Board) -> str:
    """Say what the columns count."""
    return " ".join(
        f"{label}: {', '.join(table.facts)}." for label, table in zip(board.labels, board.columns, strict=True)
    )


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
