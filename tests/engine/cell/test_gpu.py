"""What differs on a GPU, end to end: `make test-gpu` runs this where there is one; the processor's half runs anywhere.

Every test runs with each of `PLACES`. What a run gives on the processor, one image at a time and without workers, is
what it must give everywhere, up to rounding.
"""

import numpy as np
import pytest
import torch

from src.core.errors import PredictionError
from src.records.table import to_records
from tests.benchmarks.running import words_of

HAS_GPU = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="needs a CUDA device")
PLACES = ["cpu", pytest.param("gpu", marks=needs_gpu)]
pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("unchecked")]

FAMILIES = ("depth_anything_v2_small", "dpt_beit_large_384", "zoedepth_nk", "marigold,model.steps=1")
SPACES = {"zoedepth_nk": "metric", "marigold,model.steps=1": "affine_depth"}
BOUND = 2e-3
"""Of relative differences of errors between devices, float32: tiny networks with random weights, whose errors follow
the rounding of another order of sums more closely than those of trained ones."""
SYNTHETIC = ("data=synthetic", "data.n=6", "data.size=[48,64]")
SMALL = words_of("depth_anything_v2_small", small=True)

GREEDY = """
import torch

from outside import Broken


class Greedy(Broken):
    '''Needs all memory of its device for more than `most` images; fails with an error at `at` if told to.'''

    at = None

    def __init__(self, *, broken, most):
        super().__init__(broken=broken)
        self.most = most

    def load(self):
        self.scale = torch.nn.Parameter(torch.ones(()))

    def infer(self, image, sample_id):
        if self.at in sample_id:
            raise ValueError("as if the machine had gone")
        if len(sample_id) > self.most:
            if image.device.type != "cuda":
                raise torch.OutOfMemoryError("as CUDA says it")
            torch.empty(2 * torch.cuda.get_device_properties(0).total_memory, dtype=torch.uint8, device=image.device)
        return super().infer(image, sample_id).to(image.device) + self.scale * image[:, :1] / 100
"""


@pytest.fixture
def greedy(outside):
    (outside.parent / "code" / "greedy.py").write_text(GREEDY)
    (outside / "model" / "greedy.yaml").write_text("# needs room\n_target_: greedy.Greedy\nbroken: []\nmost: 99\n")
    return outside


def errors(cell):
    return np.array([list(record.errors.values()) for record in to_records(cell.scores)], dtype=float)


def agree(cell, reference, bound=BOUND):
    scale = np.maximum(np.abs(errors(reference)).max(0), 1e-6)  # what should be 0 is rounding
    assert np.nanmax(np.abs(errors(cell) - errors(reference)) / scale) <= bound
    assert [(r.index, r.status) for r in to_records(cell.scores)] == [
        (r.index, r.status) for r in to_records(reference.scores)
    ]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_processors_digits_up_to_rounding(run, tmp_path, family, where):
    words = [*words_of(family, small=True), *SYNTHETIC, f"protocol=[{SPACES.get(family, 'affine_disparity')}]"]
    reference = run(*words, "batch_size=1")
    cell = run(*words, f"trainer={where}", "batch_size=3", f"paths.output_dir={tmp_path}/other")
    agree(cell, reference)
    assert cell.manifest.fingerprint == reference.manifest.fingerprint
    assert cell.manifest.peak_memory > 0
    assert cell.manifest.flops == pytest.approx(reference.manifest.flops, rel=1e-6)
    assert 0 < cell.manifest.latency_median <= cell.manifest.latency_p95
    if where == "gpu":
        assert cell.manifest.device == torch.cuda.get_device_name(0)
        assert cell.manifest.peak_memory < 2**30


@pytest.mark.parametrize("where", PLACES)
def test_workers_that_decode_ahead_change_no_digit(run, tmp_path, where):
    words = [*SMALL, *SYNTHETIC, f"trainer={where}", "batch_size=2"]
    alone = run(*words, "num_workers=0")
    cell = run(*words, "num_workers=2", f"paths.output_dir={tmp_path}/other")
    assert np.array_equal(errors(cell), errors(alone), equal_nan=True)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("then", PLACES)
def test_a_run_goes_on_on_another_device(run, greedy, monkeypatch, tmp_path, where, then):
    words = ["model=greedy", "data=ragged", "data.n=9", "batch_size=1"]
    whole = run(*words, f"paths.output_dir={tmp_path}/whole", conf=greedy)
    import greedy as code

    monkeypatch.setattr(code.Greedy, "at", "image/5")
    with pytest.raises(ValueError, match="as if the machine had gone"):
        run(*words, f"trainer={where}", conf=greedy)
    (log,) = tmp_path.glob("outputs/greedy/ragged/*/records.rank0.jsonl")
    assert len({line.split(",")[0] for line in log.read_text().splitlines()}) == 5  # the one before the error too
    monkeypatch.setattr(code.Greedy, "at", None)
    agree(run(*words, f"trainer={then}", conf=greedy), whole, bound=1e-6)


@pytest.mark.parametrize("where", PLACES)
def test_a_batch_that_does_not_fit_is_halved(run, greedy, tmp_path, where):
    words = ["model=greedy", "data=ragged", "data.n=12", "batch_size=12"]
    whole = run(*words, f"paths.output_dir={tmp_path}/whole", conf=greedy)
    halved = run(*words, "model.most=1", f"trainer={where}", conf=greedy)
    assert halved.manifest.halved == 9
    agree(halved, whole, bound=1e-6)
    with pytest.raises(PredictionError, match=r"the memory of the device does not suffice for one image"):
        run(*words, "model.most=0", f"trainer={where}", conf=greedy)


@pytest.mark.parametrize("where", PLACES)
def test_the_size_of_a_batch_is_found(run, tmp_path, where):
    words = [*SMALL, "data=synthetic", "data.n=40", "data.size=[48,64]", "protocol=[affine_disparity]", "panels=0"]
    reference = run(*words, "batch_size=1", f"paths.output_dir={tmp_path}/reference")
    cell = run(*words, "batch_size=auto", f"trainer={where}")
    assert cell.manifest.batch_size >= 1
    assert len(cell.manifest.batch_trials) >= 2
    agree(cell, reference)


@pytest.mark.parametrize("where", PLACES)
def test_one_process_of_a_distributed_run_is_one_process(run, tmp_path, where):
    words = [*SMALL, *SYNTHETIC, "batch_size=2"]
    alone = run(*words, f"trainer={where}")
    trainer = "ddp" if where == "gpu" else "ddp_cpu"
    cell = run(*words, f"trainer={trainer}", "trainer.devices=1", f"paths.output_dir={tmp_path}/other")
    torch.distributed.destroy_process_group()
    assert np.array_equal(errors(cell), errors(alone), equal_nan=True)


@pytest.mark.parametrize("where", PLACES)
def test_maps_of_pictures_are_the_processors(predict, tmp_path, where):
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / f"{number}.png")
    words = [*SMALL, f"images={tmp_path}/*.png", "batch_size=1"]
    reference = predict(*words, f"output={tmp_path}/reference")
    found = predict(*words, f"trainer={where}", f"output={tmp_path}/found")
    for number in range(3):
        a, b = (np.load(folder / "npy" / f"{number}.npy") for folder in (reference.folder, found.folder))
        assert np.abs(a - b).max() <= 1e-4 * np.ptp(a)


@needs_gpu
@pytest.mark.parametrize(("precision", "least", "most"), [("tf32", 1e-7, 0.02), ("bfloat16", 1e-5, 0.5)])
def test_other_arithmetic_gives_other_digits_near_by(run, precision, least, most):
    words = [*SMALL, *SYNTHETIC, "protocol=[affine_disparity]", "trainer=gpu"]
    reference, other = run(*words), run(*words, f"precision={precision}")
    assert other.folder != reference.folder
    off = np.nanmax(np.abs(errors(other) / errors(reference) - 1))
    assert least < off < most


@needs_gpu
def test_the_same_command_gives_the_same_bits_twice(run, tmp_path):
    words = [*SMALL, *SYNTHETIC, "trainer=gpu", "batch_size=1"]
    first, second = (run(*words, f"paths.output_dir={tmp_path}/{k}") for k in range(2))
    assert np.array_equal(errors(first), errors(second), equal_nan=True)
    assert (first.folder / "summary.json").read_text() == (second.folder / "summary.json").read_text()
