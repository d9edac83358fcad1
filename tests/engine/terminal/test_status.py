"""What python -m src.status says about cells in every state."""

import json
import shlex
import subprocess
import sys
import time

import pytest

from src.core.errors import PredictionError
from src.engine.cell.lock import sole_writer
from src.records.status import note
from src.status import main


@pytest.fixture
def cell(tmp_path):
    """An unfinished cell: 4 of 12 images under two protocols in its log, and a torn line."""
    folder = tmp_path / "outputs" / "model" / "data" / "0123456789ab"
    folder.mkdir(parents=True)
    note(folder, state="running", command="model=a 'data.name=b c'", expected=12, protocols=2, started=time.time() - 8)
    (folder / "records.rank0.jsonl").write_text("{}\n" * 8 + '{"ind')
    return folder


def said(capsys, folder, *options):
    assert main([str(folder), *options]) == 0
    return capsys.readouterr().out


def test_a_cell_whose_process_was_killed(cell, capsys):
    assert "killed" in said(capsys, cell.parents[2])
    assert said(capsys, cell, "--failed") == "python -m src.eval model=a 'data.name=b c'\n"


def test_a_running_cell_shows_speed_and_time_left(cell, capsys):
    with sole_writer(cell):
        row = next(line for line in said(capsys, cell).splitlines() if "running" in line).split()
        assert row[:3] == ["running", "4", "12"]
        assert float(row[3]) == pytest.approx(0.5, rel=0.1)
        assert row[4] == "0:00:16"
        assert said(capsys, cell, "--failed") == ""


def test_a_failed_cell_says_why(cell, capsys):
    note(cell, state="failed", reason="the disk is full")
    out = " ".join(said(capsys, cell).split())
    assert "failed 4 12" in out
    assert "the disk is full" in out
    assert json.loads((cell / "status.json").read_text())["expected"] == 12  # what was known stays known


def test_finished_and_broken_cells_of_a_real_run(run, outside, tmp_path, capsys):
    run("model=ramp", "data=ragged", conf=outside)
    with pytest.raises(PredictionError):
        run("model=wrong_shape", "data=ragged", conf=outside)
    out = said(capsys, tmp_path / "outputs")
    assert "1 done, 1 killed" in out  # the second had no time to say why: the job around the cell does that
    assert main([str(tmp_path / "nowhere")]) == 1


def test_it_needs_no_heavy_library():
    code = "import sys, src.status; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning", "hydra"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "said_by_stranger",
    [
        "model=a; touch /tmp/x",
        "model=a && touch x",
        "model=a\ntouch x",
        "model=a $(touch x)",
        "model=a `touch x`",
        "$(touch x)",
        "--config-dir=/evil model=a",
        "-cd /evil",
        "hydra.run.dir=/ model=a",
        "hydra/launcher=evil",
        "model=a | sh",
        "model=a > x",
        "model='a\x1b[2J'",
        "'model=a",
        "'=a'",
        "model=[a",
    ],
)
def test_a_strangers_command_is_not_for_a_shell(cell, capsys, tmp_path, said_by_stranger):
    note(cell, state="failed", command=said_by_stranger)
    assert main([str(cell), "--failed"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{cell}: its command is left out, since it holds" in err
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.parametrize("text", ["b;touch x", "$(touch x)", "`touch x`", "it's", 'a"b', "a b", "*", "|sh", "#x", "&"])
def test_a_shell_hands_each_word_on_as_it_was_typed(cell, capsys, tmp_path, text):
    quoted = text.replace('"', '\\"')
    words = ["model=a", f'data.name="{quoted}"']
    note(cell, state="failed", command=shlex.join(words))
    printed = said(capsys, cell, "--failed").replace("python", "printf '%s\\n'", 1)
    told = subprocess.run(["/bin/sh", "-c", printed], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["-m", "src.eval", *words]
    assert list(tmp_path.iterdir()) == [tmp_path / "outputs"]


@pytest.mark.parametrize(
    "word",
    ["model._target_=os.system", "+x={_target_: os.system}", "model.factory=os:system", "model.allow_pickle=true"],
)
def test_a_command_that_says_which_code_to_run_is_no_command_for_a_pipe(cell, capsys, word):
    note(cell, state="failed", command=shlex.join(["model=callable", word]))
    assert main([str(cell), "--failed"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("# python -m src.eval model=callable ")
    assert out.count("\n") == 1
    assert "says which code to run" in err


def test_a_strangers_reason_moves_no_cursor(cell, capsys):
    note(cell, state="failed", reason="\x1b[2Jgone [bold]x[/bold] https://me:pw@host")
    out = said(capsys, cell.parents[2])
    assert "\x1b" not in out
    assert "\\x1b[2Jgone[bold]x[/bold]" in "".join(out.split())
    assert "me:pw" not in out
