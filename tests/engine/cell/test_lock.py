"""One writer per cell."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from src.core.errors import RecordsError
from src.engine.cell.lock import LOCK_FILE, Pace, sole_writer

pytestmark = pytest.mark.usefixtures("unchecked")

FAST = Pace(beat=0.05, silence=1.0)


@pytest.fixture
def dead():
    """Number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lock(folder, machine, process, **more):
    content = {"machine": machine, "process": process, "since": "2026-01-01T00:00:00+00:00", **more}
    (folder / LOCK_FILE).write_text(json.dumps(content))


def owner(folder):
    return json.loads((folder / LOCK_FILE).read_text())


@pytest.fixture
def beating(tmp_path):
    """Keep touching a lock, as its living owner on another machine does."""
    lock(tmp_path, "elsewhere", 1)
    done = threading.Event()

    def beat():
        while not done.wait(0.05):
            os.utime(tmp_path / LOCK_FILE)

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    done.set()
    thread.join()


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    with sole_writer(tmp_path) as first:
        message = rf"written by process {os.getpid()} on {socket.gethostname()} since 20.*wait=<seconds>"
        with pytest.raises(RecordsError, match=message), sole_writer(tmp_path):
            pytest.fail("two writers")
        first.check()
    assert not (tmp_path / LOCK_FILE).exists()


def test_the_lock_is_given_back_when_the_run_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), sole_writer(tmp_path):
        raise ZeroDivisionError
    with sole_writer(tmp_path):
        pass


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path, dead):
    with sole_writer(tmp_path):
        mine = owner(tmp_path)
    lock(tmp_path, mine["machine"], dead, boot=mine["boot"], born=mine["born"])
    with sole_writer(tmp_path):
        assert owner(tmp_path)["process"] == os.getpid()


def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_owner(tmp_path):
    with sole_writer(tmp_path):
        mine = owner(tmp_path)
    lock(tmp_path, mine["machine"], os.getpid(), boot=mine["boot"], born=str(int(mine["born"]) - 1))
    with sole_writer(tmp_path):
        assert owner(tmp_path)["born"] == mine["born"]


@pytest.mark.parametrize("place", ["elsewhere", socket.gethostname()], ids=["machine", "boot"])
def test_a_silent_owner_elsewhere_is_taken_over_whatever_its_clock_says(tmp_path, place):
    lock(tmp_path, place, os.getpid(), boot="another")
    for seconds in (4e9, 1e9):
        os.utime(tmp_path / LOCK_FILE, (seconds, seconds))
    with sole_writer(tmp_path, pace=FAST):
        assert owner(tmp_path)["process"] == os.getpid()


def test_a_lock_whose_owner_died_while_writing_it_is_taken_over(tmp_path):
    (tmp_path / LOCK_FILE).touch()
    with sole_writer(tmp_path, pace=FAST):
        assert owner(tmp_path)["process"] == os.getpid()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("beating")
def test_an_owner_elsewhere_that_is_alive_keeps_its_lock(tmp_path):
    with pytest.raises(RecordsError, match="process 1 on elsewhere"), sole_writer(tmp_path, pace=FAST):
        pytest.fail("two writers")
    assert owner(tmp_path)["machine"] == "elsewhere"


def test_a_process_waits_for_the_other_to_end(tmp_path):
    held, ended = threading.Event(), threading.Event()

    def first():
        with sole_writer(tmp_path):
            held.set()
            time.sleep(0.5)
            ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with sole_writer(tmp_path, wait=60.0):
        assert ended.is_set()
    thread.join()


def test_an_owner_that_slept_too_long_leaves_the_cell_to_its_successor(tmp_path):
    with sole_writer(tmp_path, pace=FAST) as slept:
        lock(tmp_path, "elsewhere", 1, nonce="another")
        with pytest.raises(RecordsError, match="another process took this cell over"):
            slept.check()
    assert owner(tmp_path)["nonce"] == "another"  # not given back by one who no longer had it


def test_a_cell_that_is_being_run_is_not_run_twice(run, outside):
    folder = run("model=ramp", "data=ragged", conf=outside).folder
    records = (folder / "records.parquet").read_bytes()

    with sole_writer(folder), pytest.raises(RecordsError, match="is being written by process"):
        run("model=ramp", "data=ragged", "force=true", conf=outside)
    assert (folder / "records.parquet").read_bytes() == records


def test_what_the_awaited_process_has_finished_is_not_run_again(run, outside, monkeypatch, caplog):
    caplog.set_level("INFO")
    folder = run("model=ramp", "data=ragged", conf=outside).folder
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    held, finish = threading.Event(), threading.Event()

    def other():
        with sole_writer(folder):
            held.set()
            finish.wait(60)
            (folder / "manifest.json").write_bytes(manifest)

    def finish_once_watched():
        while "watching whether it is alive" not in caplog.text and thread.is_alive():
            time.sleep(0.05)
        finish.set()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    threading.Thread(target=finish_once_watched).start()
    run("model=ramp", "data=ragged", "wait=60", conf=outside)
    thread.join()

    assert "watching whether it is alive" in caplog.text
    assert "Already finished" in caplog.text
