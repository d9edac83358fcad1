"""Results that are read a batch later, from a slow device made of a thread: order, completeness, ends of every kind."""

import importlib
import json
import math
import queue
import signal
import sys
import threading
import time

import pytest
import torch

from src.core.errors import PredictionError
from src.engine.process.clock import Lap
from src.engine.process.interrupt import Interrupted
from src.engine.scoring.deferred import Copied, Deferred, batches_ahead, beside
from src.records.table import to_records
from tests.launching import shared_by

EVENTFUL = """
import os
import signal

from src.core.errors import PredictionError
from outside import Broken


class Eventful(Broken):
    '''Predicts what depends on the image; at one of them something happens, if the class is told so.'''

    journal = []
    at = event = None

    def infer(self, image, sample_id):
        self.journal.append(f"launch {sample_id[0]}")
        if self.at in sample_id:
            if self.event == "error":
                raise PredictionError("cannot predict this one")
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "term": signal.SIGTERM}[self.event])
        return super().infer(image, sample_id) + image[:, :1] / 100
"""
WORDS = ("model=eventful", "data=ragged", "data.n=12", "batch_size=1", "protocol=[metric,median_scaled]")


@pytest.fixture
def eventful(outside):
    """A folder for --config-dir with the model `eventful`."""
    (outside.parent / "code" / "eventful.py").write_text(EVENTFUL)
    (outside / "model" / "eventful.yaml").write_text("# something happens\n_target_: eventful.Eventful\nbroken: []\n")
    yield outside
    sys.modules.pop("eventful", None)


def happens(monkeypatch, event, at):
    model = importlib.import_module("eventful").Eventful
    monkeypatch.setattr(model, "event", event)
    monkeypatch.setattr(model, "at", at)
    model.journal.clear()


@pytest.fixture
def undisturbed(run, eventful, tmp_path):
    """The records of a run that reads every batch at once."""
    found = rows(run(*WORDS, f"paths.output_dir={tmp_path}/undisturbed", conf=eventful))
    assert "read" not in journal()
    journal().clear()
    return found


def journal():
    return importlib.import_module("eventful").Eventful.journal


class Slowly(Copied):
    """What `Copied` is, of a device that does one thing after another and takes its time."""

    work: queue.Queue
    most = math.inf

    def __init__(self, values):
        self._values, self._arrived = values, threading.Event()
        self.work.put(self)

    @classmethod
    def compute(cls):
        while (copied := cls.work.get()) is not None:
            time.sleep(0.02)
            copied._arrived.set()

    def read(self):
        journal().append("read")
        assert self._arrived.wait(10)
        if journal().count("read") > self.most:
            raise RuntimeError("the device is gone")
        return self._values


@pytest.fixture
def slow_device(monkeypatch, eventful, undisturbed):
    """The loop as on CUDA: a batch ahead, with a device that answers late."""
    monkeypatch.setattr(Slowly, "work", queue.Queue(), raising=False)
    monkeypatch.setattr("src.engine.scoring.scoring.Copied", Slowly)
    monkeypatch.setattr("src.engine.scoring.scoring.batches_ahead", lambda _: 1)
    thread = threading.Thread(target=Slowly.compute)
    thread.start()
    yield eventful
    Slowly.work.put(None)
    thread.join()


@pytest.fixture
def ahead(monkeypatch, eventful, undisturbed):
    """The loop a batch ahead, on the processor."""
    monkeypatch.setattr("src.engine.scoring.scoring.batches_ahead", lambda _: 1)
    return eventful


def log_of(tmp_path, rank=0):
    (path,) = tmp_path.glob(f"outputs/eventful/ragged/*/records.rank{rank}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(cell):
    return [(r.index, r.protocol, r.status, r.scale, r.errors, r.reason) for r in to_records(cell.scores)]


def test_a_batch_is_read_when_the_next_one_has_been_launched_and_no_record_changes(run, slow_device, undisturbed):
    cell = run(*WORDS, conf=slow_device)

    assert rows(cell) == undisturbed
    order = [event.partition(" ")[0] for event in journal()]
    # the first at once, since the clock starts when the device has done it and been given nothing else
    assert order == ["launch", "read", "launch", "launch", *["read", "launch"] * 9, "read", "read"]
    assert cell.manifest.latency_median > 0
    assert cell.manifest.images_per_second > 0


def test_what_was_launched_before_an_error_is_kept_in_order_and_the_run_goes_on(
    run, slow_device, undisturbed, monkeypatch, tmp_path
):
    happens(monkeypatch, "error", "image/7")
    with pytest.raises(PredictionError, match="cannot predict this one"):
        run(*WORDS, conf=slow_device)
    launched = [event.partition("image/")[2] for event in journal() if event.startswith("launch")]
    assert launched[-1] == "7"
    assert [str(row["index"]) for row in log_of(tmp_path)[::2]] == launched[:-1]
    happens(monkeypatch, None, None)
    assert rows(run(*WORDS, conf=slow_device)) == undisturbed


def test_a_run_that_is_asked_to_stop_keeps_the_batch_that_was_to_be_read(
    run, slow_device, undisturbed, monkeypatch, tmp_path
):
    before = signal.getsignal(signal.SIGTERM)
    happens(monkeypatch, "term", "image/7")
    with pytest.raises(Interrupted, match="interrupted by SIGTERM after a whole batch"):
        run(*WORDS, conf=slow_device)
    launched = [event.partition("image/")[2] for event in journal() if event.startswith("launch")]
    assert launched[-1] == "7"
    assert [str(row["index"]) for row in log_of(tmp_path)[::2]] == launched
    assert signal.getsignal(signal.SIGTERM) is before
    happens(monkeypatch, None, None)
    assert rows(run(*WORDS, conf=slow_device)) == undisturbed


def test_a_device_that_is_gone_does_not_hide_what_the_run_failed_of(run, slow_device, monkeypatch, tmp_path, caplog):
    happens(monkeypatch, "error", "image/5")
    monkeypatch.setattr(Slowly, "most", 4)
    with pytest.raises(PredictionError, match="cannot predict this one"):
        run(*WORDS, conf=slow_device)
    assert "The batch before could not be kept either, and will be done again: the device is gone" in caplog.text
    assert len(log_of(tmp_path)) == 2 * 4


@pytest.mark.slow
def test_a_killed_process_loses_two_batches_at_most_and_the_run_goes_on(run, ahead, undisturbed, monkeypatch, tmp_path):
    happens(monkeypatch, "kill", "image/8")
    with pytest.raises(Exception, match="SIGKILL"):
        run(*WORDS, *shared_by(2), conf=ahead)
    # process 0 has images 0, 2, 4 ... of three shapes; 8 is its fifth, and 6, launched before it, was still to be read
    assert [row["index"] for row in log_of(tmp_path)[::2]] == [0, 2, 4]
    happens(monkeypatch, None, None)
    cell = run(*WORDS, conf=ahead)
    assert rows(cell) == undisturbed
    assert cell.manifest.expected == 12


def test_several_sizes_in_a_batch_and_images_that_cannot_be_read_come_through(
    run, ahead, eventful, monkeypatch, tmp_path
):
    words = ("model=eventful", "data=ragged", "data.n=7", "batch_size=3", "data.unreadable=3", "on_error=skip")
    words += ("data.empty=2", "model.broken=[image/5]")
    later = run(*words, conf=eventful)
    monkeypatch.setattr("src.engine.scoring.scoring.batches_ahead", batches_ahead)
    at_once = run(*words, f"paths.output_dir={tmp_path}/at_once", conf=eventful)
    assert rows(later) == rows(at_once)
    assert {r.status for r in to_records(later.scores)} == {"ok", "skipped", "failed"}


def test_predicted_maps_are_written_a_batch_later_too(predict, eventful, monkeypatch, tmp_path):
    from PIL import Image

    for number in range(5):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"{number}.png")
    words = ("model=eventful", f"images={tmp_path}/*.png", "batch_size=2")
    at_once = predict(*words, f"output={tmp_path}/at_once", conf=eventful)
    monkeypatch.setattr("src.engine.prediction.map_writer.batches_ahead", lambda _: 1)
    later = predict(*words, f"output={tmp_path}/later", conf=eventful)
    assert [*later.written] == [*at_once.written] == [str(number) for number in range(5)]
    for name in later.written:
        files = [(folder / "npy" / f"{name}.npy").read_bytes() for folder in (at_once.folder, later.folder)]
        assert files[0] == files[1]


def test_on_the_processor_nothing_is_deferred_and_nothing_copied():
    cpu = torch.device("cpu")
    values = torch.arange(3)
    assert batches_ahead(cpu) == 0
    assert Copied(values).read() is values
    with beside(cpu):
        assert list(Deferred(0).put("a")) == ["a"]
    assert Lap(1.0, 3.5).seconds() == 2.5


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_queue_hands_back_everything_once_in_order(ahead):
    waiting, taken = Deferred(ahead), []
    for number in range(5):
        taken += waiting.put(number)
        assert len(taken) == max(number + 1 - ahead, 0)
    assert [*taken, *waiting.drain()] == [0, 1, 2, 3, 4]
    assert list(waiting.drain()) == []
