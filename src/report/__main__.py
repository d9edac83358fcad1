"""Write a report: python -m src.report outputs."""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from src.core.errors import ConfigError, LeadlineError
from src.core.terminal import terminal
from src.report.drawing.page import render_page
from src.report.drawing.side_by_side import side_by_side
from src.report.export.before_and_after import markdown_moved, terminal_moved, write_moved
from src.report.export.spreadsheet import write_csv, write_pairs, write_papers, write_ranks, write_robustness
from src.report.export.terminal import terminal_board, terminal_table
from src.report.export.typeset import latex_robustness, latex_tables, markdown_robustness, markdown_tables
from src.report.findings.cells import Findings, find
from src.report.findings.comparison import compare_reports
from src.report.findings.evidence import Evidence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 after an error message."""
    parser = argparse.ArgumentParser(
        prog="python -m src.report",
        description=(
            "Read finished cells and write one self-contained HTML page, with its tables as CSV, Markdown and LaTeX "
            "beside it."
        ),
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[Path("outputs")], help="cells, or folders of cells (default: outputs)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="the page to write (default: outputs/report.html, or outputs/comparison.html with --compare)",
    )
    parser.add_argument(
        "--images", type=int, default=2, help="how many images of each cell to show (default: %(default)s)"
    )
    parser.add_argument(
        "--wandb",
        nargs="?",
        const="leadline",
        metavar="[ENTITY/]PROJECT",
        help="send the report to Weights & Biases, too, and save a dashboard there (default project: leadline)",
    )
    parser.add_argument(
        "--floors", action="store_true", help="let baselines that ignore the image compete, instead of standing by"
    )
    parser.add_argument(
        "--baseline", metavar="MODEL", help="whose mCE is 100 %% (default: the most complete ranked one)"
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="set two folders side by side, before and after: which numbers moved, beyond noise or not",
    )
    options = parser.parse_args(arguments)
    try:
        if options.compare:
            _compare(options.folders, options.output or Path("outputs/comparison.html"))
            return 0
        options.output = options.output or Path("outputs/report.html")
        evidence = Evidence(
            findings=find(options.folders), images=options.images, floors=options.floors, baseline=options.baseline
        )
        _write(evidence, options.output)
        if options.wandb is not None:
            from src.report.export.dashboard import push  # takes a second to import

            terminal().print(
                push(options.output, evidence.tables, project=options.wandb), markup=False, highlight=False
            )
    except LeadlineError as error:
        terminal(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _compare(folders: Sequence[Path], output: Path) -> None:
    if len(folders) != 2:
        msg = f"--compare: expected two folders, before and after, got {len(folders)}: {', '.join(map(str, folders))}"
        raise ConfigError(msg)
    before, after = find(folders[:1]), find(folders[1:])
    found = compare_reports(before, after, (str(folders[0]), str(folders[1])))
    both = Findings(cells=(*before.cells, *after.cells), unfinished=())
    now = datetime.datetime.now(datetime.UTC)
    page = render_page(Evidence(findings=both, images=0), written=now, builders=side_by_side(found))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    write_moved(found, output.with_suffix(".csv"))
    output.with_suffix(".md").write_text(markdown_moved(found), encoding="utf-8")
    console = terminal()
    console.print(terminal_moved(found), "")
    for line in (found.verdict, str(output)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _write(evidence: Evidence, output: Path) -> None:
    page = render_page(evidence, written=datetime.datetime.now(datetime.UTC))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    write_csv(evidence.tables, output.with_name("leaderboard.csv"))
    write_ranks(evidence.boards, output.with_name("ranks.csv"))
    write_pairs(evidence.differences, output.with_name("pairs.csv"))
    write_papers(evidence.papers, output.with_name("papers.csv"))
    write_robustness(evidence.trials, output.with_name("robustness.csv"))
    output.with_name("robustness.md").write_text(markdown_robustness(evidence.trials), encoding="utf-8")
    output.with_name("robustness.tex").write_text(latex_robustness(evidence.trials), encoding="utf-8")
    output.with_name("leaderboard.md").write_text(markdown_tables(evidence.boards), encoding="utf-8")
    output.with_name("leaderboard.tex").write_text(latex_tables(evidence.boards), encoding="utf-8")
    console = terminal()
    for table in evidence.tables:
        console.print(terminal_table(table, console.width), "")
    for board in evidence.boards:
        if (drawn := terminal_board(board)) is not None:
            console.print(drawn, "")
    for folder in evidence.findings.unfinished:
        console.print(f"unfinished: {folder}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{output}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
