"""The same digits, exactly once, however many processes share the images, and whatever becomes of one of them.

Most processes here are forked from this one, which saves them the seconds of importing everything again; those that
are started from the command line are in one test, those that are spawned in another.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from src.core.errors import LeadlineError
from src.engine.terminal.explain import explain
from src.records.schema import SampleRecord
from src.records.table import read_table, to_records
from tests.launching import shared_by

pytestmark = pytest.mark.slow

DYING = """
import os
import signal

from outside import Broken


class Dying(Broken):
    '''Kills its process at an image, if told to by a file, which it removes; predicts what depends on the image.'''

    def __init__(self, *, broken, at, file):
        super().__init__(broken=broken)
        self.at, self.file = at, f'{file}.now'  # the setting names no file, which would be the model's

    def infer(self, image, sample_id):
        if self.at in sample_id and os.path.exists(self.file):
            os.unlink(self.file)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().infer(image, sample_id) + image[:, :1] / 100
"""


def read(folder: Path) -> tuple[list[SampleRecord], dict, dict]:
    assert not list(folder.glob("*rank*")), "files of single processes were left behind"
    records = [dataclasses.replace(r, seconds=0.0) for r in to_records(read_table(folder / "records.parquet"))]
    manifest = json.loads((folder / "manifest.json").read_text())
    return records, json.loads((folder / "summary.json").read_text()), manifest


@pytest.fixture
def dying(outside: Path) -> Path:
    (outside.parent / "code" / "dying.py").write_text(DYING)
    (outside / "model" / "dying.yaml").write_text("# dies once\n_target_: dying.Dying\nbroken: []\nat: ''\nfile: ''\n")
    return outside


# 7 images of three sizes, of which one is failed and one skipped; 2 images for up to four processes
@pytest.mark.parametrize(
    ("words", "worlds"),
    [(["data.n=7", "model.broken=[image/5]", "data.empty=3"], (2, 3, 4)), (["data.n=2"], (4,))],
    ids=["ragged shards", "fewer images than processes"],
)
def test_processes_change_no_digit(
    run: Callable, dying: Path, tmp_path: Path, words: list[str], worlds: tuple[int, ...]
) -> None:
    words = ["model=dying", "data=ragged", "batch_size=2", *words]
    alone, summary_alone, manifest_alone = read(run(*words, conf=dying).folder)
    assert len({record.index for record in alone}) == manifest_alone["expected"]

    for world in worlds:
        # the run itself compares the mean of the records with what the metrics compute across processes
        cell = run(*words, *shared_by(world), f"paths.output_dir={tmp_path}/{world}", conf=dying)
        records, summary, manifest = read(cell.folder)
        assert records == alone, world
        assert summary == summary_alone, world
        assert manifest["world_size"] == world
        for same in ("fingerprint", "scored", "skipped", "failed"):
            assert manifest[same] == manifest_alone[same]


def test_processes_started_from_the_command_line_change_no_digit(
    command: Callable, run: Callable, outside: Path, tmp_path: Path
) -> None:
    words = ["model=ramp", "data=ragged", "batch_size=2"]
    alone, summary_alone, _ = read(run(*words, conf=outside).folder)
    done = command("--config-dir", str(outside), *words, f"paths.output_dir={tmp_path}/two", "trainer=ddp_cpu")
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("two/ramp/ragged/*")
    records, summary, manifest = read(folder)
    assert (records, summary, manifest["world_size"]) == (alone, summary_alone, 2)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("first", "then"), [(3, 2), (2, 4), (2, 1)])
def test_one_killed_process_of_several_loses_its_batch_and_any_number_goes_on(
    run: Callable, dying: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, first: int, then: int
) -> None:
    caplog.set_level("INFO")
    words = ["model=dying", "data=ragged", "data.n=12", "batch_size=1", "model.at=image/8", "model.broken=[image/4]"]
    words += [f"model.file={tmp_path}/die"]
    alone, summary_alone, _ = read(run(*words, f"paths.output_dir={tmp_path}/alone", conf=dying).folder)

    (tmp_path / "die.now").touch()
    with pytest.raises(Exception, match="SIGKILL") as raised:
        run(*words, *shared_by(first), conf=dying)
    message = explain(raised.value)
    assert message is not None
    assert "a process of the run has died" in message
    assert "the same command goes on" in message
    (folder,) = tmp_path.glob("outputs/dying/ragged/*")
    assert not (folder / "manifest.json").exists()
    on_disk = {
        json.loads(line)["index"] for log in folder.glob("records.rank*") for line in log.read_text().splitlines()
    }
    assert {0, 1} <= on_disk  # its batches before, and those of others
    assert 8 not in on_disk

    read_again = run(*words, *(shared_by(then) if then > 1 else []), conf=dying)
    assert f"Resuming: {len(on_disk)} of 12 images" in caplog.text
    records, summary, manifest = read(read_again.folder)
    assert (records, summary, manifest["world_size"]) == (alone, summary_alone, then)


def test_a_failing_process_fails_the_run_with_its_own_words(run: Callable, outside: Path, tmp_path: Path) -> None:
    words = ["model=ramp", "data=ragged", "data.unreadable=3", "batch_size=1"]
    with pytest.raises(Exception, match=r"image/3\.png") as raised:
        run(*words, *shared_by(2), conf=outside)
    assert not isinstance(raised.value, LeadlineError)  # it comes as the text of a traceback
    assert explain(raised.value) == "image/3.png: expected a PNG, got garbage"
    assert not list(tmp_path.glob("outputs/**/manifest.json"))
