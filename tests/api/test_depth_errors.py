"""DepthErrors: a protocol as a torchmetric, held against the numpy reference however images are shared out."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from torch import multiprocessing, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MetricCollection

from src.api import DepthErrors, score
from src.core.errors import ConfigError
from tests.launching import warm
from tests.reference.metrics import PIXEL_ERRORS

RANGE = (0.1, 8.0)
NAMES = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "silog", "log10")


def data(n=5):
    rng = np.random.default_rng(1)
    depth = rng.uniform(0.2, 9, (n, 6, 7)).astype(np.float32)
    prediction = (depth * np.exp(0.3 * rng.normal(size=depth.shape))).astype(np.float32)
    return torch.from_numpy(prediction), torch.from_numpy(depth)


def reference(rows):
    """Mean over images of the errors as the papers write them, one image at a time."""
    prediction, depth = (maps.double().numpy() for maps in data())
    errors = {name: [] for name in NAMES}
    for i in rows:
        counts = (depth[i] > RANGE[0]) & (depth[i] < RANGE[1])
        clipped = np.clip(prediction[i], *RANGE)[counts]
        for name in NAMES:
            errors[name].append(PIXEL_ERRORS[name](clipped, depth[i][counts]))
    return {name: np.mean(values) for name, values in errors.items()}


def filled(rows=range(5), *, indexed=True, metric=None):
    metric = metric or DepthErrors("zoedepth", "metric_depth", depth_range=RANGE)
    prediction, depth = data()
    for i in rows:
        metric.update(prediction[i : i + 1], depth[i : i + 1], index=[i] if indexed else None)
    return metric


def numbers(metric):
    return {name: value.item() for name, value in metric.compute().items()}


def test_equals_the_numpy_reference_and_the_score_of_every_image():
    assert numbers(filled()) == pytest.approx(reference(range(5)), rel=1e-6)
    scored = score(*data(), space="metric_depth", protocol="zoedepth", depth_range=RANGE)
    assert numbers(filled()) == pytest.approx({name: v.mean() for name, v in scored.errors.items()}, rel=1e-14)


def test_images_with_a_number_count_once_and_those_without_every_time():
    assert numbers(filled([0, 1, 2, 1, 0])) == numbers(filled([0, 1, 2]))
    assert numbers(filled([0, 1, 2, 1, 0], indexed=False)) == pytest.approx(reference([0, 1, 2, 1, 0]), rel=1e-6)


def test_forward_gives_the_batch_and_keeps_the_whole():
    metric, (prediction, depth) = DepthErrors("zoedepth", "metric_depth", depth_range=RANGE), data()
    for i in range(5):
        batch = metric(prediction[i : i + 1], depth[i : i + 1], index=[i])
        assert {name: value.item() for name, value in batch.items()} == pytest.approx(reference([i]), rel=1e-6)
    assert numbers(metric) == numbers(filled())
    metric.reset()
    metric.update(prediction[:2], depth[:2])
    assert numbers(metric) == pytest.approx(reference([0, 1]), rel=1e-6)


def test_half_precision_gives_what_the_rounded_maps_give():
    prediction, depth = data()
    for kind in (torch.float16, torch.bfloat16):
        rounded, half, plain = prediction.to(kind), DepthErrors(depth_range=RANGE), DepthErrors(depth_range=RANGE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half.update(rounded, depth)
        plain.update(rounded.float(), depth)
        assert numbers(half) == numbers(plain)


@pytest.mark.parametrize("change", [lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.clone(), copy.deepcopy])  # noqa: S301
def test_survives_pickling_and_copying(change):
    metric = filled(range(3))
    other = change(metric)
    filled([3, 4], metric=other)
    assert numbers(metric) == pytest.approx(reference(range(3)), rel=1e-6)
    assert numbers(other) == numbers(filled())


def test_its_state_is_kept_where_that_is_asked_for():
    assert filled().state_dict() == {}
    metric = filled()
    metric.persistent(True)
    other = DepthErrors("zoedepth", "metric_depth", depth_range=RANGE)
    other.persistent(True)
    other.load_state_dict(copy.deepcopy(metric.state_dict()))
    other._update_count = 1  # so that torchmetrics does not warn
    assert numbers(other) == numbers(metric)


def test_moves_with_its_module_and_keeps_its_precision():
    module = nn.Module()
    module.errors = filled(range(2))
    module.half().to("cpu")
    filled(range(2, 5), metric=module.errors)
    assert numbers(module.errors) == numbers(filled())
    assert {piece.device.type for piece in module.to("meta").errors.values} == {"meta"}


@pytest.mark.gpu
def test_on_a_gpu_gives_the_same_errors():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    metric = DepthErrors("zoedepth", "metric_depth", depth_range=RANGE).to(device)
    metric.update(*(maps.to(device) for maps in data()))
    assert numbers(metric) == pytest.approx(numbers(filled()), rel=1e-12)


def test_protocols_that_agree_on_the_first_batch_stay_apart_in_a_collection():
    """A collection joins metrics whose states look alike after one update; a farther range shows later."""
    near, far = DepthErrors(depth_range=(0.1, 10)), DepthErrors(depth_range=(0.1, 20))
    both = MetricCollection({"near": near, "far": far, "fit": DepthErrors("marigold", "affine_depth")})
    depth = torch.full((1, 2, 2), 5.0)
    both.update(depth + torch.arange(4.0).reshape(1, 2, 2), depth)
    both.update(3 * depth, depth)
    found = both.compute()
    assert (found["near_rmse"], found["far_rmse"]) == (pytest.approx((14**0.5 / 2 + 5) / 2), (14**0.5 / 2 + 10) / 2)
    assert "fit_i_rmse" in found


def test_failed_images_are_warned_of_and_counted():
    prediction, depth = data()
    prediction[1, 0, 0] = torch.nan
    depth[1, 0, 0] = 1.0
    depth[2] = 0
    metric = DepthErrors(depth_range=RANGE, counts=True)
    metric.update(prediction, depth)
    with pytest.warns(UserWarning, match="1 of 5 images failed"):
        found = numbers(metric)
    assert (found.pop("failed"), found.pop("skipped")) == (1, 1)
    assert found == pytest.approx(reference([0, 3, 4]), rel=1e-6)


def test_what_cannot_be_scored_is_refused_at_once():
    with pytest.raises(ConfigError, match="protocol zoedepth: expected a space out of metric_depth, got affine_depth"):
        DepthErrors("zoedepth", "affine_depth")
    with pytest.raises(ConfigError, match=r"unknown protocol 'zoedept'.*did you mean zoedepth"):
        DepthErrors("zoedept")


class Loop(LightningModule):
    """Validates a "network" that gives its input back."""

    def __init__(self):
        super().__init__()
        self.errors = DepthErrors("zoedepth", "metric_depth", depth_range=RANGE)

    def validation_step(self, batch, _):
        prediction, depth, index = batch
        self.errors.update(prediction, depth, index=index)

    def on_validation_epoch_end(self):
        self.log_dict(self.errors.compute())
        self.errors.reset()


class EachStep(Loop):
    """Logs what forward gives, which Lightning averages by the size of the batch."""

    def validation_step(self, batch, _):
        prediction, depth, index = batch
        self.log_dict(self.errors(prediction, depth, index=index), batch_size=len(depth))

    def on_validation_epoch_end(self):
        self.errors.reset()


@pytest.mark.parametrize("loop", [Loop, EachStep])
def test_is_logged_by_a_lightning_module(loop, tmp_path):
    loader = DataLoader(TensorDataset(*data(), torch.arange(5)), batch_size=2)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, about workers
        (found,) = trainer.validate(loop(), loader, verbose=False)
    assert found == pytest.approx(reference(range(5)), rel=1e-5)


SHARDS = {
    "one": [[0, 1, 2, 3, 4]],
    "two, ragged": [[0, 2, 4], [1, 3]],
    "two, padded as a sampler does": [[0, 2, 4], [1, 3, 0]],
    "three, one without an image": [[0, 1, 2], [], [3, 4]],
}


def _work(rank, folder):
    for case, shards in SHARDS.items():
        if rank >= len(shards):
            continue
        dist.init_process_group("gloo", init_method=f"file://{folder}/{case}", rank=rank, world_size=len(shards))
        found = [numbers(filled(shards[rank])), numbers(filled(shards[rank], indexed=False))]
        torch.save(found, f"{folder}/{case} {rank}.pt")
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def gathered(tmp_path_factory, pytestconfig):
    """Run every case in its processes; case and rank -> means with numbers of images, and without."""
    folder = tmp_path_factory.mktemp("ranks")
    warm()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(pytestconfig.rootpath))  # processes find this module by its name
        multiprocessing.start_processes(_work, args=(str(folder),), nprocs=3, start_method="forkserver")
    return lambda case, rank: torch.load(folder / f"{case} {rank}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("case", SHARDS)
def test_any_number_of_processes_gives_the_same_digits(case, gathered):
    rows = [row for shard in SHARDS[case] for row in shard]
    for rank in range(len(SHARDS[case])):
        indexed, new = gathered(case, rank)
        assert indexed == numbers(filled())
        assert new == pytest.approx(reference(rows), rel=1e-6)
