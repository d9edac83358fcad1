import csv
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from src.records.reader import read_cell
from src.report.__main__ import main
from src.report.export.spreadsheet import FILES
from src.report.export.typeset import latex_tables, markdown_tables
from src.report.findings.board import build_boards
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


@pytest.fixture
def boards(make_cell: Make):
    cells = [
        make_cell("a", model="first_model", quality=0.1, protocols=("metric",)),
        make_cell("b", model="second & <b>", quality=0.2, protocols=("metric",)),
        make_cell("c", model="third|x", quality=0.3, protocols=("metric",)),
        make_cell("d", model="oracle", quality=0.001, protocols=("metric",), uses_ground_truth=True),
    ]
    return build_boards(build_tables([read_cell(cell) for cell in cells]))


def values(boards) -> dict[str, str]:
    grid = boards[0].grids[0]
    return {line.name: f"{line.entries[0].estimate.mean:.4f}" for line in grid.lines if line.entries[0]}


def test_markdown(boards) -> None:
    text = markdown_tables(boards)
    found = values(boards)
    assert text.count("## ") == 4
    lines = text.splitlines()
    assert lines[2] == "| Model | Rank | rooms |"
    assert lines[4] == rf"| first\_model | 1.00 | **{found['first_model']}** |"
    assert lines[5] == f"| second & &lt;b> | 2.00 | <u>{found['second & <b>']}</u> |"
    assert lines[6] == rf"| third\|x | 3.00 | {found['third|x']} |"
    assert lines[7] == f"| oracle | – | ({found['oracle']}) |"
    assert "oracle: uses ground truth" in text


def test_latex(boards) -> None:
    text = latex_tables(boards)
    found = values(boards)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 4
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 4
    assert rf"first\_model & 1.00 & \textbf{{{found['first_model']}}} \\" in text
    assert rf"second \& \textless{{}}b\textgreater{{}} & 2.00 & \underline{{{found['second & <b>']}}} \\" in text
    body = re.sub(r"\\[&_%$#{}]|%.*", "", text)
    assert "_" not in re.sub(r"\$[^$]*\$", "", body)
    assert body.count("&") == 4 * 5 * 2, "every line has as many columns as the header"


def test_latex_is_what_latex_takes(boards, tmp_path: Path) -> None:
    pdflatex = shutil.which("pdflatex")
    if pdflatex is None:
        pytest.skip("no pdflatex here (Debian: apt-get install texlive-latex-recommended)")
    (tmp_path / "tables.tex").write_text(latex_tables(boards), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{tables}\\end{document}"
    )
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "paper"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").is_file()


def test_every_environment_of_latex_is_closed_in_order(boards) -> None:
    """Environments and braces nest, and every row ends as booktabs wants it; here where no TeX is installed."""
    text = re.sub(r"(?m)^%.*$", "", latex_tables(boards))
    open_: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert not open_
    bare = re.sub(r"\\[{}]", "", text)
    depths = itertools.accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in bare)
    assert min(depths) >= 0
    assert bare.count("{") == bare.count("}")
    assert text.count("$") % 2 == 0
    for table in text.split(r"\begin{tabular}{l")[1:]:
        spec, rest = table.split("}", 1)
        rows = [line for line in rest.split(r"\end{tabular}")[0].splitlines() if "&" in line]
        assert rows
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(spec) for row in rows)
        assert all(row.endswith(r" \\") for row in rows)


def test_every_file_is_written(make_cell: Make, tmp_path: Path) -> None:
    make_cell("a", model="a", quality=0.1, images=12)
    make_cell("b", model="b", quality=0.4, images=12)
    assert main([str(tmp_path / "outputs"), "--output", str(tmp_path / "r.html")]) == 0
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"r.html", *FILES}
    with (tmp_path / "pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    names = ("first", "second", "protocol", "metric", "outcome", "unit")
    assert [tuple(pair[name] for name in names) for pair in pairs] == [
        ("a", "b", "metric", "abs_rel", "better", "images"),
        ("a", "b", "metric", "delta1", "better", "images"),
        ("a", "b", "affine_depth", "abs_rel", "better", "images"),
        ("a", "b", "affine_depth", "delta1", "better", "images"),
    ]
    assert float(pairs[0]["difference"]) < float(pairs[0]["high"]) < 0
