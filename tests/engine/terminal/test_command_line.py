"""The command line as a user meets it: tables, help, typos, sweeps, exit codes."""

import json
import re
from pathlib import Path

import pytest

from src.engine.terminal.overview import overview

CONF = Path(__file__).parents[3] / "conf"


def test_a_run_prints_its_table_and_ends_with_its_folder(command, tmp_path):
    done = command("model=ramp", "data=sample", fresh=True)

    assert done.returncode == 0, done.stderr
    assert re.search(r"affine_disparity v1\s+abs_rel ↓\s+0\.\d{4}\s+–\s+1 / 0 / 0", done.stdout)
    assert "not applicable to affine_disparity on sample: metric, median_scaled, scale, affine_depth" in done.stdout
    assert "images per second on " in done.stdout
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert folder.parent == tmp_path / "outputs" / "ramp" / "sample"
    assert {"manifest.json", "records.parquet", "summary.json", "config.yaml"} <= {p.name for p in folder.iterdir()}

    again = command("model=ramp", "data=sample", "batch_size=1")
    assert "Already finished" in again.stderr
    assert again.stdout.strip().splitlines()[-1] == str(folder)


@pytest.mark.parametrize("space", ["affine_disparity", "affine_depth"])
def test_the_oracle_is_exact_on_synthetic_scenes_with_scale_and_shift_spoilt(command, tmp_path, space):
    done = command(
        "model=oracle", f"model.space={space}", "model.scale=0.4", "model.shift=0.3",
        "data=synthetic", "data.n=4", "data.size=[48,64]",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "NOT RANKED: uses ground truth" in done.stdout
    (file,) = tmp_path.glob("outputs/oracle/synthetic/*/summary.json")
    summary = json.loads(file.read_text())
    assert list(summary) == [space], "an affine space was scored as the other"
    assert summary[space]["abs_rel"]["n"] == 4
    assert 0 < summary[space]["abs_rel"]["mean"] < 1e-6
    assert summary[space]["delta1"]["mean"] == 1


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["model=ramq", "data=sample"], ["Could not find 'model/ramq'", "did you mean ramp?"]),
        (["model=ramp"], ["You must specify 'data'", "sample"]),
        (["model=ramp", "data=sample", "resolutoin=384"], ["keys of the configuration: resolution,", "resolution?"]),
        (["model=ramp", "data=sample", "model.resolutio=1"], ["keys of model:", "did you mean resolution?"]),
        (["model=ramp", "data=sample", "protocol=[metrik]"], ["options in protocol:", "did you mean metric or"]),
        (["model=ramp", "data=sample", "protocol=[metric]"], ["none of the requested protocols (metric) can score"]),
    ],
)
def test_a_typo_is_answered_with_what_exists(command, words, messages):
    done = command(*words)

    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


def test_help_lists_every_choice_with_its_line():
    text = overview(CONF, "eval")
    for group in ("model", "data", "protocol", "trainer", "logger"):
        choices = [path.stem for path in (CONF / group).glob("*.yaml")]
        section = text.split(f"\n{group}=\n")[1].split("\n\n")[0]
        lines = dict(line.split(maxsplit=1) for line in section.splitlines())
        assert lines.keys() == set(choices)
    assert re.search(r"resolution=default\s+network input size", text)


def test_help_imports_no_torch(command):
    done = command("--help", fresh=True, PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0
    assert "model=\n" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "lightning", "numpy", "transformers"}


def test_every_yaml_says_in_its_first_line_what_it_is():
    for path in CONF.rglob("*.yaml"):
        first = next(line for line in path.read_text().splitlines() if not line.startswith("# @"))
        assert re.fullmatch(r"# \S.{5,110}", first), f"{path}: expected a one-line description, got {first!r}"


def sweep_table(stdout: str) -> str:
    return stdout[stdout.index("cells of this sweep") :]


def test_a_wrong_value_leaves_nothing_behind_and_says_one_line(command, tmp_path):
    done = command("model=ramp", "data=sample", "limit=1.5")

    assert done.returncode == 1
    assert done.stderr == "error: limit: expected null or a whole number >= 1, got 1.5; type limit=100, say\n"
    assert not list((tmp_path / "outputs").rglob("*"))


def test_a_key_that_is_not_set_is_named_as_typed_with_what_it_means(command):
    done = command("model=ramp", "data=folder", "data.images=x", "data.depth=y")

    assert done.returncode == 1
    assert done.stderr.startswith("error: data.depth_scale is not set (metres per stored unit: 1 for metres, 0.001")
    assert done.stderr.endswith("type data.depth_scale=<value>\n")


def test_options_between_overrides_are_taken(command, tmp_path):
    done = command("model=ramp", "-m", "data=sample", "protocol=[midas]", "limit=1")

    assert done.returncode == 0, done.stderr
    assert "1 done, 0 failed" in done.stdout
    assert list(tmp_path.glob("outputs/ramp/sample/*/manifest.json"))


@pytest.mark.slow
def test_one_failing_cell_does_not_stop_the_sweep(command, outside, tmp_path):
    done = command(
        "--config-dir", str(outside), "-m", "model=wrong_shape,ramp", "data=ragged", "resolution=native,384", "limit=2"
    )

    table = sweep_table(done.stdout)
    assert done.returncode == 1
    assert "2 done, 2 failed" in table
    assert "floating-point" in table
    assert len(list(tmp_path.glob("outputs/ramp/ragged/*/manifest.json"))) == 2
    assert not list(tmp_path.glob("outputs/wrong_shape/**/manifest.json"))
    assert not list(tmp_path.glob("outputs/.sweeps/*"))

    shown = command("outputs", module="src.status")
    assert "2 done, 2 failed" in shown.stdout
    assert "floating-point" in shown.stdout
    again = command("outputs", "--failed", module="src.status").stdout.splitlines()
    assert len(again) == 2
    assert all(
        {"model=wrong_shape", "data=ragged"} <= set(line.split()) and "sweep_ledger" not in line for line in again
    )


@pytest.mark.slow
def test_a_sweep_refuses_processes_that_would_walk_it_too(command, outside):
    done = command("--config-dir", str(outside), "-m", "model=ramp", "data=ragged", "trainer=ddp_cpu")

    assert done.returncode == 1
    assert "use trainer=ddp_spawn" in done.stderr
