"""Runs that are killed or asked to stop, and go on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.records.table import read_table, to_records
from tests.launching import shared_by

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchecked")]

SLOW = """
import time

from outside import Broken


class Slow(Broken):
    def infer(self, image, sample_id):
        time.sleep(0.3)
        return super().infer(image, sample_id)
"""


@pytest.fixture
def slow(outside):
    (outside.parent / "code" / "slow.py").write_text(SLOW)
    (outside / "model" / "slow.yaml").write_text("# takes its time\n_target_: slow.Slow\nbroken: []\n")
    return outside


@pytest.fixture
def words(slow):
    return ["--config-dir", str(slow), "model=slow", "data=ragged", "data.n=12", "batch_size=2", "trainer=cpu"]


def wait_for_records(tmp_path, process, lines=5):
    for _ in range(2400):
        text = "".join(path.read_text() for path in tmp_path.glob("outputs/slow/ragged/*/records.rank0.jsonl"))
        if text.count("\n") >= lines:
            return
        assert process.poll() is None, process.stderr
        time.sleep(0.05)
    pytest.fail("no record was written within two minutes")


def errors(folder):
    return [record.errors for record in to_records(read_table(folder / "records.parquet"))]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_goes_on_and_ends_with_the_digits_of_an_undisturbed_one(
    start, command, run, words, slow, tmp_path, number
):
    process = start(*words)
    wait_for_records(tmp_path, process)
    process.send_signal(number)
    code, message = process.wait(30), process.stderr

    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 75
        assert f"interrupted by {number.name}" in message
        assert "Traceback" not in message
    assert not list(tmp_path.glob("outputs/**/manifest.json"))

    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "Resuming: " in again.stderr
    whole = run(*words[2:], f"paths.output_dir={tmp_path}/undisturbed", conf=slow)

    (resumed,) = tmp_path.glob("outputs/slow/ragged/*")
    assert errors(resumed) == errors(whole.folder)
    assert (resumed / "summary.json").read_text() == (whole.folder / "summary.json").read_text()


def test_a_whole_group_that_is_told_to_stop_keeps_the_batch_and_says_so(start, words, tmp_path):
    process = start(*words, "num_workers=2", session=True)
    wait_for_records(tmp_path, process)
    os.killpg(process.pid, signal.SIGTERM)  # as timeout, scancel and a scheduler's time limit do

    assert process.wait(30) == 75
    assert "interrupted by SIGTERM" in process.stderr
    [status] = tmp_path.glob("outputs/slow/ragged/*/status.json")
    assert json.loads(status.read_text())["state"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_of_a_parallel_sweep_outlives_it(environment, words, tmp_path, number):
    sweep = ["-m", *words, "data.n=60", "num_workers=1", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    with (tmp_path / "words").open("w") as said:
        process = subprocess.Popen(  # joblib waits for ever in a process that was forked
            [sys.executable, "-m", "src.eval", *sweep],
            cwd=tmp_path, env=environment(), stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        for _ in range(2400):
            if len(list(tmp_path.glob("outputs/slow/ragged/*/records.rank0.jsonl"))) == 2:
                break
            assert process.poll() is None, (tmp_path / "words").read_text()
            time.sleep(0.05)
        process.send_signal(number)
        code = process.wait(60)
    assert code == (75 if number == signal.SIGTERM else -number), (tmp_path / "words").read_text()
    for _ in range(600):
        if not alive(process.pid):
            break
        time.sleep(0.1)
    assert alive(process.pid) == []
    if number == signal.SIGTERM:
        states = [json.loads(file.read_text())["state"] for file in tmp_path.glob("outputs/slow/ragged/*/status.json")]
        assert states == ["interrupted"] * 2


def alive(group):
    """The processes of a group that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(stat.parent.name)
    return found


def test_a_run_of_one_process_is_resumed_by_two(start, command, words, tmp_path):
    process = start(*words)
    wait_for_records(tmp_path, process)
    process.send_signal(signal.SIGKILL)
    process.wait(30)

    again = command(*words[:-1], *shared_by(2))

    assert again.returncode == 0, again.stderr
    (folder,) = tmp_path.glob("outputs/slow/ragged/*")
    assert len(errors(folder)) == 12 * 5


def test_an_interrupted_sweep_stops(start, words, tmp_path):
    process = start(*words, "resolution=native,384", "-m")
    wait_for_records(tmp_path, process)
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 75
    assert len(list(tmp_path.glob("outputs/slow/ragged/*/config.yaml"))) == 1, "another cell was started"
