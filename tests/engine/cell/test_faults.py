"""What is said, and what is kept, when the surroundings of a run fail; every fault is a real one."""

import json
import math
import os
import shutil
import subprocess
import time

import pytest

from src.engine.terminal.explain import explain
from src.records.status import progress
from src.records.table import to_records

pytestmark = pytest.mark.usefixtures("unchecked")

FAULTY = """
import os
import signal

import torch
from torch.utils.data import get_worker_info

from outside import Broken, Ragged


class Faulty(Broken):
    '''Predicts what depends on the image, but the given number on one pixel of one image.'''

    def __init__(self, *, broken, at, value):
        super().__init__(broken=broken)
        self.at, self.value = at, float(value)

    def infer(self, image, sample_id):
        values = super().infer(image, sample_id) + image[:, :1] / 100
        for row, name in enumerate(sample_id):
            if name == self.at:
                values[row, 0, 1, 1] = self.value
        return values


class Deadly(Ragged):
    '''Kills the process that reads image 5 ahead, once.'''

    def __init__(self, *, n, empty, unreadable, file):
        super().__init__(n=n, empty=empty, unreadable=unreadable)
        self.file = file

    def read(self, i):
        if i == 5 and get_worker_info() is not None and os.path.exists(self.file):
            os.unlink(self.file)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(i)
"""


@pytest.fixture
def faulty(outside):
    (outside.parent / "code" / "faulty.py").write_text(FAULTY)
    (outside / "model" / "faulty.yaml").write_text("# odd\n_target_: faulty.Faulty\nbroken: []\nat: ''\nvalue: 0\n")
    (outside / "data" / "deadly.yaml").write_text(
        "# kills\n_target_: faulty.Deadly\nn: 9\nempty: null\nunreadable: null\nfile: ''\n"
    )
    return outside


@pytest.fixture
def disk(tmp_path):
    """A file system of its own; where mounting one is not permitted the test is skipped."""
    place = tmp_path / "disk"
    place.mkdir()
    if not shutil.which("mount") or os.geteuid() != 0 or mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place):
        pytest.skip("mounting a small disk takes root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # noqa: S607  # of the PATH


def mount(*words):
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode  # noqa: S607  # likewise


def rows(cell):
    return [(row.index, row.protocol, row.status, row.errors) for row in to_records(cell.scores)]


WORDS = ["model=faulty", "data=ragged", "data.n=40", "batch_size=4", "panels=0", "model.broken=[image/7]"]


def test_a_full_disk_stops_the_run_and_what_fitted_is_kept(run, faulty, disk, tmp_path, caplog):
    caplog.set_level("INFO")
    whole = run(*WORDS, conf=faulty)
    with pytest.raises(OSError, match="No space left") as raised:
        run(*WORDS, f"paths.output_dir={disk}", conf=faulty)
    assert explain(raised.value).startswith("the disk is full")
    assert "what was scored before is kept" in explain(raised.value)
    (folder,) = disk.glob("faulty/ragged/*")
    assert not (folder / "manifest.json").exists()

    assert mount("-o", "remount,size=20m", disk) == 0
    again = run(*WORDS, f"paths.output_dir={disk}", conf=faulty)
    (resumed,) = [record.message for record in caplog.records if "Resuming" in record.message]
    assert 0 < int(resumed.split()[1]) < 40
    assert rows(again) == rows(whole)
    assert (folder / "summary.json").read_text() == (whole.folder / "summary.json").read_text()


def test_a_read_only_disk_is_said_and_nothing_on_it_is_lost(run, faulty, disk):
    assert mount("-o", "remount,size=20m", disk) == 0
    cell = run(*WORDS, f"paths.output_dir={disk}", conf=faulty)
    (cell.folder / "manifest.json").unlink()
    before = (cell.folder / "records.parquet").read_bytes()
    assert mount("-o", "remount,ro", disk) == 0
    with pytest.raises(OSError, match="Read-only") as raised:
        run(*WORDS, f"paths.output_dir={disk}", conf=faulty)
    assert explain(raised.value).startswith("the disk is read-only")
    assert (cell.folder / "records.parquet").read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_said(run, faulty, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o500)
    with pytest.raises(PermissionError) as raised:
        run(*WORDS, f"paths.output_dir={tmp_path}/theirs", conf=faulty)
    assert explain(raised.value).startswith("this user may not write there")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_not_finite_is_counted_named_and_never_averaged(run, faulty, value):
    words = ["data=ragged", "batch_size=3"]
    whole = run("model=faulty", *words, conf=faulty)
    cell = run("model=faulty", "model.at=image/2", f"model.value='{value}'", *words, conf=faulty)
    for protocol, scored in cell.scores.items():
        assert scored.status.tolist() == ["ok", "ok", "failed", "ok", "ok", "ok", "ok"]
        manifest = cell.manifest
        assert manifest.scored[protocol] + manifest.skipped[protocol] + manifest.failed[protocol] == manifest.expected
        left = [error for k, error in enumerate(whole.scores[protocol].errors["abs_rel"]) if k != 2]
        mean = json.loads((cell.folder / "summary.json").read_text())[protocol]["abs_rel"]["mean"]
        assert mean == pytest.approx(math.fsum(left) / 6, rel=1e-12)
    kind = "1 NaN and 0 infinite" if value == "nan" else "0 NaN and 1 infinite"
    assert cell.scores["metric"].reason[2].startswith(f"image/2: {kind}")


def test_a_killed_decoding_process_loses_no_record_and_the_same_command_goes_on(run, faulty, tmp_path, caplog):
    caplog.set_level("INFO")
    words = ["model=faulty", "data=deadly", f"data.file={tmp_path}/die", "batch_size=1", "num_workers=1", "prefetch=1"]
    whole = run(*words, f"paths.output_dir={tmp_path}/whole", conf=faulty)
    (tmp_path / "die").touch()
    with pytest.raises(Exception) as raised:  # noqa: PT011 (a signal's error, which a check of types may wrap)
        run(*words, conf=faulty)
    error = raised.value
    while not isinstance(error, RuntimeError):
        error = error.__cause__ or error.__context__
    assert "a process that decodes images has died" in explain(error)
    again = run(*words, conf=faulty)
    (resumed,) = [record.message for record in caplog.records if "Resuming" in record.message]
    assert int(resumed.split()[1]) >= 3  # of the five before, one was being handed over and one kept ready
    assert rows(again) == rows(whole)


def test_a_clock_that_runs_backwards_changes_no_result(run, faulty, monkeypatch, tmp_path, caplog):
    caplog.set_level("INFO")
    whole = run(*WORDS, f"paths.output_dir={tmp_path}/whole", conf=faulty)
    clock = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    with pytest.raises(Exception, match="image/13") as raised:
        run(*WORDS, "data.unreadable=13", conf=faulty)
    assert "image/13" in str(raised.value)
    (unfinished,) = progress([tmp_path / "outputs"], is_held=lambda _: True)
    assert (unfinished.state, unfinished.scored) == ("running", 12)
    assert unfinished.speed >= 0
    cell = run(*WORDS, conf=faulty)
    assert rows(cell) == rows(whole)
    assert 0 < cell.manifest.images_per_second < math.inf
    assert all(row.seconds >= 0 for row in to_records(cell.scores))
