"""Runs that are killed or asked to stop, and go on."""

import signal
import time

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
