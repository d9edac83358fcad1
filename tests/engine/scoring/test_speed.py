"""What a run costs, against what is known by hand: operations, percentiles, where time goes."""

import json
import math
import mmap
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from rich.console import Console
from torch import nn

from src.core.sample import Sample
from src.engine.process.clock import Clock, median_and_p95
from src.engine.process.cost import count_operations, forget_peak, peak_memory
from src.engine.scoring.stages import STAGES, Stages, print_profile
from src.engine.terminal.table import print_cell

CONF = Path(__file__).parents[3] / "conf"
CPU = torch.device("cpu")
CODE = '''
import torch
from torch import nn

from src.core.prediction import OutputSpace
from src.model.base import DepthModel, Provenance


class Known(DepthModel):
    """A convolution and a linear layer of known cost, called twice."""

    space = OutputSpace.AFFINE_DISPARITY

    def __init__(self, *, weights):
        super().__init__()
        self.weights = weights

    def load(self):
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 1)

    def input_size(self, size):
        return size

    def infer(self, image, sample_id):
        return self.head(self.body(image / 255).movedim(1, -1)).movedim(-1, 1)

    @property
    def provenance(self):
        return Provenance(weights=self.weights, parameters=sum(p.numel() for p in self.parameters()))
'''
WORDS = ("data=synthetic", "data.n=5", "data.size=[32,48]", "protocol=[affine_disparity]", "panels=0", "batch_size=2")
# of one image: 27 products for each of 4 channels, then 4 products; two operations each
FLOPS = 2 * 32 * 48 * (27 * 4 + 4)


class Ticks:
    """A clock that shows what it is told to."""

    def __init__(self, *times):
        self.times = iter(times)

    def __call__(self):
        return float(next(self.times))


@pytest.fixture
def known(own_code):
    """A folder for --config-dir with the model `known`."""
    return own_code("known_cost", CODE, {"model/known.yaml": "# known\n_target_: known_cost.Known\nweights: none\n"})


def sample_of(size, count=2):
    shape = (count, 1, *size)
    return Sample(
        image=torch.zeros(count, 3, *size, dtype=torch.uint8), depth=torch.ones(shape),
        valid=torch.ones(shape, dtype=torch.bool), depth_range=(0.1, 10.0), sample_id=tuple("abcdef"[:count]),
        index=tuple(range(count)), cluster=("",) * count,
 slice=("",) * count,
    )  # fmt: skip


def test_the_first_batch_is_warm_up_and_the_others_count():
    clock = Clock(Ticks(0, 5, 6, 10, 12, 13, 20, 21, 24))
    seconds = []
    for images in (4, 4, 1):
        clock.start(CPU)
        seconds.append(clock.inferred(CPU).seconds())
        clock.finished(images, seconds[-1])

    assert seconds == [5, 2, 1]
    assert clock.latencies == [2, 1]
    assert (clock.images, clock.seconds) == (5, 24 - 6)  # from the end of the first batch


def test_a_single_batch_counts_and_an_empty_one_does_not():
    clock = Clock(Ticks(0, 5, 6, 7, 8, 9))
    for images in (3, 0):
        clock.start(CPU)
        clock.finished(images, clock.inferred(CPU).seconds())

    assert clock.latencies == [5]
    assert (clock.images, clock.seconds) == (3, 6)


def test_percentiles_are_those_of_the_definition():
    assert median_and_p95([]) == (None, None)
    assert median_and_p95([3.0]) == (3.0, 3.0)
    median, p95 = median_and_p95([float(i) for i in range(101, 0, -1)])
    assert (median, p95) == (51.0, 96.0)


class Attention(LightningModule):
    """Three heads of width 8 over 10 tokens, which torch's own counter misses on the CPU."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def predict(self, sample):
        q = self.scale * torch.ones(len(sample), 3, 10, 8)
        return nn.functional.scaled_dot_product_attention(q, q, q)


def test_attention_counts_both_of_its_products_for_one_image():
    assert count_operations(Attention(), sample_of((4, 4), count=2)) == 2 * 2 * 3 * 10 * 10 * 8


def test_nothing_is_counted_without_weights_or_memory():
    class Hungry(Attention):
        def predict(self, sample):
            raise torch.OutOfMemoryError

    class Weightless(LightningModule):
        def predict(self, sample):
            pytest.fail("predicted for nothing")

    assert count_operations(Hungry(), sample_of((4, 4))) == 0
    assert count_operations(Weightless(), sample_of((4, 4))) == 0


def test_peak_memory_sees_what_was_let_go_and_forgets_it_on_request():
    forget_peak(CPU)
    before = peak_memory(CPU)
    with mmap.mmap(-1, 64 * 2**20) as block:  # fresh pages, where an allocator may hand out what it kept
        block.write(bytes(64 * 2**20))
    assert peak_memory(CPU) >= before + 32 * 2**20
    forget_peak(CPU)
    assert 10 * 2**20 < peak_memory(CPU) <= before + 64 * 2**20


def test_every_moment_belongs_to_one_stage():
    stages = Stages(Ticks(0, 1, 3, 7, 8, 18))
    for stage in ("start_up", "preprocess", "forward"):
        stages.enter(stage)
    stages._answered()  # 7: the network answers
    stages._called()  # 8: and is called again, so what lay between belongs to the forward pass
    stages.enter(None)  # 18

    summary = stages.summary()
    spent = {stage: row["seconds"] for stage, row in summary["stages"].items() if row["seconds"]}
    assert spent == {"start_up": 1, "preprocess": 2, "forward": 4 + 1 + 10}
    assert summary["seconds"] == 18


def test_what_a_run_costs_is_in_its_manifest_and_shown(run, known, capsys):
    cell = run("model=known", *WORDS, conf=known)

    manifest = cell.manifest
    assert manifest.flops == FLOPS
    assert manifest.parameters == 27 * 4 + 4 + 4 + 1
    assert manifest.batch_size == 2
    assert 0 < manifest.latency_median <= manifest.latency_p95
    assert manifest.peak_memory > 10 * 2**20
    assert manifest.dtype == "float32"
    assert not (cell.folder / "profile.json").exists()
    print_cell(cell, Console(width=200))
    assert "p95 for a batch of 2; peak memory" in (shown := capsys.readouterr().out)
    assert "GFLOP an image" in shown


def test_reading_and_decoding_are_told_apart(tmp_path, capsys):
    stages = Stages(Ticks(0, 4, 8))
    for stage in ("waiting", "forward", None):
        stages.enter(stage)
    stages.loaded(3, 1.0, reading=0.25)
    stages.loaded(1, 0.5, reading=0.125)

    assert stages.summary()["loader"] == {"seconds": 1.5, "read": 0.375, "decode": 1.125, "waiting_share": 0.5}
    (tmp_path / "profile.json").write_text(json.dumps([stages.summary()]))
    print_profile(tmp_path, Console(width=200))
    words = (
        "reading files took 93.8 and decoding them 281.2 ms an image, mostly meanwhile; waiting took 50.0% of the time"
    )
    assert words in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_line_shows_where_the_time_went(command, known, tmp_path):
    words = ("model=known", *WORDS, "trainer=cpu", "num_workers=0", "profile=trace", f"--config-dir={known}")
    done = command(*words)

    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "outputs").rglob("profile.json")
    (profile,) = json.loads(path.read_text())
    stages = profile["stages"]
    assert list(stages) == list(STAGES)
    assert math.isclose(sum(row["seconds"] for row in stages.values()), profile["seconds"], rel_tol=1e-9)
    assert profile["images"] == 5
    # three batches, each of which calls both layers once
    entered = {stage: row["entered"] for stage, row in stages.items()}
    assert entered["forward"] == entered["post"] == 6
    assert entered["preprocess"] == entered["metrics"] == entered["align"] == 3
    assert all(row["seconds"] > 0 for stage, row in stages.items() if row["entered"])
    assert profile["loader"]["seconds"] > 0
    assert all(stage in done.stdout for stage in STAGES)
    assert json.loads((path.parent / "trace.json").read_text())["traceEvents"]
    assert json.loads((path.parent / "manifest.json").read_text())["flops"] == FLOPS


def test_profiling_leaves_digits_and_what_it_watched_as_they_were(run, known):
    torch.manual_seed(0)
    plain = run("model=known", *WORDS, conf=known)
    torch.manual_seed(0)
    profiled = run("model=known", *WORDS, "profile=true", "force=true", conf=known)

    assert profiled.folder == plain.folder
    a, b = (cell.scores["affine_disparity"].errors["abs_rel"].tolist() for cell in (plain, profiled))
    assert a == b
    assert (plain.folder / "profile.json").is_file()
