"""One writer per cell."""

import json
import os
import socket
import subprocess
import sys

import pytest

from src.core.errors import RecordsError
from src.engine.lock import LOCK_FILE, sole_writer


@pytest.fixture
def dead():
    """Number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lock(folder, machine, process):
    content = {"machine": machine, "process": process, "since": "2026-01-01T00:00:00+00:00"}
    (folder / LOCK_FILE).write_text(json.dumps(content))


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    with sole_writer(tmp_path):
        message = rf"written by process {os.getpid()} on {socket.gethostname()} since 20.*wait for it to end"
        with pytest.raises(RecordsError, match=message), sole_writer(tmp_path):
            pytest.fail("two writers")
        assert (tmp_path / LOCK_FILE).exists()
    assert not (tmp_path / LOCK_FILE).exists()


def test_the_lock_is_given_back_when_the_run_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), sole_writer(tmp_path):
        raise ZeroDivisionError
    with sole_writer(tmp_path):
        pass


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over(tmp_path, dead):
    lock(tmp_path, socket.gethostname(), dead)
    with sole_writer(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["process"] == os.getpid()


def test_of_a_process_on_another_machine_nobody_knows(tmp_path, dead):
    lock(tmp_path, "elsewhere", dead)
    with pytest.raises(RecordsError, match=f"process {dead} on elsewhere"), sole_writer(tmp_path):
        pytest.fail("two writers")


def test_a_lock_that_is_just_being_written_is_respected(tmp_path):
    (tmp_path / LOCK_FILE).touch()
    with pytest.raises(RecordsError, match=r"remove .*running\.json if it is dead"), sole_writer(tmp_path):
        pytest.fail("two writers")


def test_a_cell_that_is_being_run_is_not_run_twice(run, outside):
    folder = run("model=ramp", "data=ragged", conf=outside).folder
    records = (folder / "records.parquet").read_bytes()
    lock(folder, "elsewhere", 1)

    with pytest.raises(RecordsError, match="process 1 on elsewhere"):
        run("model=ramp", "data=ragged", "force=true", conf=outside)
    assert (folder / "records.parquet").read_bytes() == records
