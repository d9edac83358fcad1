"""batch_size=auto, against costs that are given: so much for a step, so much for each of its images."""

import importlib

import pytest
import torch
from rich.console import Console

from src.core.errors import ConfigError
from src.engine.scoring.batch_size import BatchSizeSearch, try_sizes
from src.engine.terminal.table import print_cell
from src.records.table import to_records

QUICK = ("protocol=[metric]", "panels=0")
PRICED = '''
import os
import time

import torch

from outside import Broken


class Priced(Broken):
    """Takes `fixed` seconds a step and `each` an image, on a clock of its own or a real one; overflows above `most`."""

    now = 0.0
    batches = []

    def __init__(self, *, broken, fixed, each, most, asleep):
        super().__init__(broken=broken)
        self.fixed, self.each, self.most, self.asleep = fixed, each, most, asleep

    def infer(self, image, sample_id):
        most = self.most if os.environ.get("LOCAL_RANK", "0") == "0" else 2
        if len(sample_id) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        Priced.now += self.fixed + self.each * len(sample_id)
        Priced.batches.append(len(sample_id))
        if self.asleep:
            time.sleep(self.fixed + self.each * len(sample_id))
        return super().infer(image, sample_id) + image[:, :1] / 100
'''


@pytest.fixture
def priced(outside, monkeypatch):
    """A folder for --config-dir with the model `priced`, whose clock the search looks at."""
    (outside.parent / "code" / "priced.py").write_text(PRICED)
    (outside / "model" / "priced.yaml").write_text(
        "# known cost\n_target_: priced.Priced\nbroken: []\nfixed: 1.0\neach: 1.0\nmost: 99\nasleep: false\n"
    )
    model = importlib.import_module("priced").Priced
    search = BatchSizeSearch(lambda: model.now)
    for module in ("cell.plan", "prediction.predict"):
        monkeypatch.setattr(f"src.engine.{module}.BatchSizeSearch", lambda: search)
    yield outside
    importlib.sys.modules.pop("priced")


def batches():
    return importlib.import_module("priced").Priced.batches


@pytest.mark.parametrize(
    ("fixed", "fits", "most", "size", "tried"),
    [
        (0, 99, 64, 1, [1, 2]),  # an image costs the same in any batch
        (1, 99, 64, 16, [1, 2, 4, 8, 16, 32]),  # 17/16 is 5.6 % less than 9/8, 33/32 only 2.9 % less than that
        (100, 99, 64, 64, [1, 2, 4, 8, 16, 32, 64]),
        (100, 99, 63, 32, [1, 2, 4, 8, 16, 32]),
        (100, 8, 64, 8, [1, 2, 4, 8]),
        (100, 11, 64, 8, [1, 2, 4, 8]),
        (100, 0, 64, 1, []),  # the run itself says that one image does not fit
        (100, 99, 0, 1, []),
    ],
)
def test_the_size_is_doubled_while_that_pays_and_fits(fixed, fits, most, size, tried):
    def seconds(images):
        if images > fits:
            raise torch.OutOfMemoryError
        return fixed + images

    found = try_sizes(seconds, most)
    assert (found.size, found.tried) == (size, {n: (fixed + n) / n for n in tried})


def test_a_larger_batch_that_is_slower_is_not_taken():
    found = try_sizes({1: 1.34, 2: 3.42}.get, 64)
    assert (found.size, found.tried, found.why) == (1, {1: 1.34, 2: 1.71}, "2 are hardly faster")


@pytest.mark.parametrize(
    ("taken", "size", "tried", "why"),
    [
        # weights take a tenth, an image a twentieth: 8 take 50 %, 16 would take 90 %
        (lambda n: 0.1 + 0.05 * n, 8, [1, 2, 4, 8], "16 would take 90% of the memory"),
        # what grows faster than the batch is seen when it has been tried
        (lambda n: 0.05 * n if n < 8 else 0.9, 4, [1, 2, 4, 8], "8 take 90% of the memory"),
        (lambda n: 0.01 * n, 64, [1, 2, 4, 8, 16, 32, 64], "no more than 64 are tried here"),
        # a single image is tried, and taken, whatever it takes
        (lambda n: 0.9 * n, 1, [1], "1 take 90% of the memory"),
    ],
)
def test_no_size_is_taken_that_takes_more_than_a_share_of_the_memory(taken, size, tried, why):
    steps = []
    found = try_sizes(lambda n: steps.append(n) or 100.0, 64, lambda: taken(steps[-1]), 0.75)
    assert (found.size, list(found.tried), steps, found.why) == (size, tried, tried, why)


def test_what_does_not_fit_is_said():
    def seconds(images):
        if images > 2:
            raise torch.OutOfMemoryError
        return 1.0

    assert try_sizes(seconds, 64).why == "4 do not fit into memory"


def test_the_size_that_was_found_is_used_recorded_and_shown_and_changes_no_digit(run, priced, capsys):
    words = ("model=priced", "model.broken=[image/3]", "data=ragged", "data.n=64", *QUICK)
    given = run(*words, "batch_size=3", conf=priced)
    batches().clear()
    found = run(*words, "batch_size=auto", "force=true", conf=priced)

    assert found.folder == given.folder
    assert (given.manifest.batch_size, given.manifest.batch_trials) == (3, {})
    assert (found.manifest.batch_size, found.manifest.halved) == (8, 0)
    assert found.manifest.batch_trials == {"1": 2.0, "2": 1.5, "4": 1.25, "8": 1.125}
    # one run to warm up and two to be timed of each, then 22, 21 and 21 images of three sizes
    assert batches()[:12] == [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8]
    assert sum(batches()[12:]) == 64
    assert [(r.status, r.errors) for r in to_records(found.scores)] == [
        (r.status, r.errors) for r in to_records(given.scores)
    ]
    print_cell(found, Console(width=300))
    words = "for a batch of 8 (the fastest; an image in a batch of 1: 2.00 s, 2: 1.50 s, 4: 1.25 s, 8: 1.12 s)"
    assert words in capsys.readouterr().out


def test_what_does_not_fit_is_not_taken_and_an_unreadable_image_is_no_example(run, priced):
    words = ("data.n=40", "data.unreadable=0", "on_error=skip", "model.most=3", "batch_size=auto", *QUICK)
    manifest = run("model=priced", "data=ragged", *words, conf=priced).manifest
    assert (manifest.batch_size, manifest.halved, manifest.unreadable) == (2, 0, 1)
    assert [*manifest.batch_trials] == ["1", "2"]


def test_few_images_are_done_one_by_one_without_trying(run, priced):
    words = ("data=ragged", "data.n=40", "limit=15", "batch_size=auto", *QUICK)
    manifest = run("model=priced", *words, conf=priced).manifest
    assert (manifest.batch_size, manifest.batch_trials) == (1, {})
    assert batches() == [1] * 15


def test_baselines_and_saved_predictions_have_a_size_too(run, outside):
    words = ("data=ragged", "data.n=20", "batch_size=auto")
    ramp = run("model=ramp", *words, "save_predictions=float32", "protocol=[affine_disparity]", conf=outside)
    assert ramp.manifest.batch_size in (1, 2)
    again = run("model=ramp", *words, "rescore=true", "protocol=[affine_disparity,scale]", conf=outside)
    assert again.manifest.batch_size == ramp.manifest.batch_size  # credited with the cost of what it scored
    assert again.manifest.batch_trials == ramp.manifest.batch_trials


def test_what_is_no_number_of_images_is_refused(run, outside):
    for word in ("0", "-4", "true", "automatic"):
        with pytest.raises(ConfigError, match=r"batch_size: expected a whole number >= 1 or auto, got"):
            run("model=ramp", "data=ragged", f"batch_size={word}", conf=outside)


@pytest.mark.slow
def test_processes_agree_on_what_fits_everywhere(command, priced):
    words = (
        "model=priced",
        "model.fixed=0.1",
        "model.each=0.0",
        "model.asleep=true",
        "data=ragged",
        "data.n=64",
        *QUICK,
    )
    done = command("--config-dir", str(priced), *words, "batch_size=auto", "trainer=ddp_cpu", "num_workers=0")
    assert done.returncode == 0, done.stderr
    assert "batch_size=auto: 2 (" in done.stdout + done.stderr
    assert "for a batch of 2 (the fastest" in done.stdout
