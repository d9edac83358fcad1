import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from src.report.__main__ import main

Make = Callable[..., Path]


def test_writes_the_page_and_the_spreadsheet_and_says_where(
    make_cell: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_cell("ramp/rooms/aaa", panels=1)
    started = tmp_path / "outputs" / "unfinished"
    started.mkdir()
    (started / "config.yaml").touch()
    output = tmp_path / "talk" / "page.html"
    assert main([str(tmp_path / "outputs"), "--output", str(output)]) == 0
    assert output.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "talk" / "leaderboard.csv").is_file()
    printed = capsys.readouterr().out
    assert "rooms, metric v1, 5 images" in printed
    assert f"unfinished: {started}" in printed
    assert printed.splitlines()[-1] == str(output)


def test_no_cell_is_an_error_without_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "page.html"
    assert main([str(tmp_path), "--output", str(output)]) == 1
    assert "expected at least one finished cell" in capsys.readouterr().err
    assert not output.exists()


def test_a_broken_file_is_an_error_that_names_it(
    make_cell: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_cell() / "manifest.json"
    file.write_text("{")
    assert main([str(tmp_path / "outputs"), "--output", str(tmp_path / "page.html")]) == 1
    assert str(file) in capsys.readouterr().err.replace("\n", "")


def test_help_needs_no_heavy_library() -> None:
    script = (
        "import sys, src.report.__main__\n"
        "heavy = {'torch', 'lightning', 'hydra', 'scipy.stats', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
