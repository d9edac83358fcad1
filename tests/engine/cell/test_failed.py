"""Predictions that are no numbers, through whole runs: failed records with a reason, counted, said and not ranked."""

import json

import pytest
from rich.console import Console

from src.engine.terminal.table import print_cell
from src.records.aggregate import unranked_because
from src.records.reader import read_cell


def test_a_failed_image_says_what_is_wrong_with_it(run, outside, capsys):
    cell = run("model=broken", "model.broken=[image/2]", "data=ragged", "data.empty=4", conf=outside)

    reason = "image/2: 1 NaN and 0 infinite values on 28 valid pixels"
    for scored in cell.scores.values():
        assert scored.reason.tolist() == ["", "", reason, "", "", "", ""]
    print_cell(cell, Console(width=200))
    out = capsys.readouterr().out
    assert f"1 of 7 images were predicted without a number that can be scored, and failed:\n  {reason}\n" in out


@pytest.mark.slow
def test_overflow_in_half_precision_fails_in_a_run_of_the_command_line(command, outside, tmp_path):
    """The exit code is that of a run that went through: what the model cannot do is its result."""
    words = ["trainer=cpu", "num_workers=0", f"paths.output_dir={tmp_path}/out", "protocol=[metric,affine_depth]"]
    done = command(f"hydra.searchpath=[file://{outside}]", "model=half", "data=ragged", *words)

    assert done.returncode == 0, done.stderr
    cell = read_cell(next(tmp_path.glob("out/half/ragged/*")))
    for name, scored in cell.scores.items():
        assert scored.status.tolist() == ["ok"] * 6 + ["failed"]
        assert scored.reason[6] == "image/6: 0 NaN and 20 infinite values on 20 valid pixels"
        assert unranked_because(cell.manifest, name) == ("1 failed",)
        assert [counts[name] for counts in (cell.manifest.scored, cell.manifest.failed)] == [6, 1]
    assert json.loads((cell.folder / "summary.json").read_text())["metric"]["abs_rel"]["n"] == 6
    assert "6 / 0 / 1" in done.stdout
    assert "NOT RANKED: 1 failed" in done.stdout
    assert "image/6: 0 NaN and 20 infinite values on 20 valid pixels" in done.stdout
