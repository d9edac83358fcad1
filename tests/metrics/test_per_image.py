import pickle

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from src.metrics.depth import AbsRel
from src.metrics.mean import MeanError
from src.metrics.per_image import PerImage
from tests.launching import warm

# image number -> two values and how much they count; the second column is undefined for image 1
VALUES = torch.tensor([[1.0, 10.0], [2.0, torch.nan], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([[1.0, 1.0], [1.0, 7.0], [1.0, 2.0], [1.0, 0.0], [1.0, 5.0]], dtype=torch.float64)
MEANS = {"a": 3.0, "b": (10 + 2 * 30 + 5 * 50) / 8}


def filled(*images):
    metric = PerImage(columns=("a", "b"))
    for image in images:
        metric.update(VALUES[[image]], torch.tensor([image]), WEIGHTS[[image]])
    return metric


def means(metric):
    return {name: value.item() for name, value in metric.compute().items()}


def test_the_mean_is_weighted_and_leaves_undefined_values_out():
    assert means(filled(0, 1, 2, 3, 4)) == MEANS


def test_values_without_weights_count_alike():
    metric = PerImage(columns=("a",))
    metric.update(torch.tensor([[1.0], [torch.inf], [2.0]]), torch.tensor([0, 1, 2]))
    assert means(metric) == {"a": 1.5}


def test_an_image_seen_twice_counts_once_whatever_the_order():
    metric = filled(3, 1, 4, 0, 2, 1, 4, 4)
    assert means(metric) == MEANS
    index, values, weights = metric.table()
    assert index.tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(values, VALUES, equal_nan=True, rtol=0, atol=0)
    assert torch.equal(weights, WEIGHTS)


@pytest.mark.parametrize("lengths", [[1] * 100, [3, 1, 4, 1, 5, 9, 2, 6], [4, 0, 4, 0, 0]])
def test_rows_keep_their_order_in_few_pieces(lengths):
    metric, rows = PerImage(columns=("a",)), torch.arange(sum(lengths))
    for index in rows.split(lengths):
        metric.update(100.0 + index[:, None], index, 1.0 + index[:, None])
    assert len(metric.index) == len(metric.values) == len(metric.weights) <= 1 + len(rows).bit_length()
    index, values, weights = metric.table()
    assert torch.equal(torch.cat(metric.index), rows)
    assert torch.equal(index, rows)
    assert torch.equal(values[:, 0], 100.0 + rows.double())
    assert torch.equal(weights[:, 0], 1.0 + rows.double())


def test_single_precision_values_are_kept_as_double():
    metric = PerImage(columns=("a",))
    metric.update(torch.tensor([[0.1]]), torch.tensor([0]))
    assert metric.table()[1].dtype == torch.float64


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_nothing_seen_is_nan():
    metric = PerImage(columns=("a", "b"))
    assert all(np.isnan(value) for value in means(metric).values())
    assert [part.shape for part in metric.table()] == [(0,), (0, 2), (0, 2)]


def test_reset_forgets():
    metric = filled(0, 1, 2)
    metric.reset()
    metric.update(VALUES[[4]], torch.tensor([4]))
    assert means(metric) == {"a": 5.0, "b": 50.0}


def test_a_clone_goes_its_own_way():
    metric = filled(0, 1)
    clone = metric.clone()
    clone.update(VALUES[[4]], torch.tensor([4]))
    assert means(metric)["a"] == 1.5
    assert means(clone)["a"] == pytest.approx(8 / 3)


def test_survives_pickling():
    assert means(pickle.loads(pickle.dumps(filled(0, 1, 2, 3, 4)))) == MEANS  # noqa: S301


def test_state_is_not_part_of_a_checkpoint():
    assert filled(0, 1).state_dict() == {}


def test_a_depth_metric_has_a_torchmetric(make_pair, random_maps):
    pair = make_pair(*random_maps(seed=0), index=(7, 5, 6))
    metric = MeanError(AbsRel())
    metric.update(pair.aligned, pair.sample)
    metric.update(pair.aligned, pair.sample)
    assert metric.compute().item() == pytest.approx(AbsRel().per_image(pair).mean().item(), rel=1e-15)
    assert metric.table()[0].tolist() == [5, 6, 7]
    assert metric.higher_is_better is False


SHARDS = {
    "two, ragged": [[0, 2, 4], [1, 3]],
    "three, ragged, repeated": [[0, 3], [1, 4, 0], [2, 3]],
    "three, one without an image": [[0, 1, 2], [], [3, 4]],
    "three, the first without an image": [[], [4, 3, 2], [1, 0]],
    "two, everything twice": [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]],
}


def _work(rank, folder):
    for case, shards in SHARDS.items():
        if rank >= len(shards):
            continue
        store = f"file://{folder}/{case}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=len(shards))
        metric = filled(*shards[rank])
        result, again = means(metric), means(metric)
        torch.save((result, again, metric.table()[0].tolist()), f"{folder}/{case} {rank}.pt")
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def gathered(tmp_path_factory, pytestconfig):
    """Run every case in its processes; case and rank -> what the rank computed, twice, and what it then holds."""
    folder = tmp_path_factory.mktemp("ranks")
    warm()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(pytestconfig.rootpath))  # processes find this module by its name
        multiprocessing.start_processes(_work, args=(str(folder),), nprocs=3, start_method="forkserver")
    return lambda case, rank: torch.load(folder / f"{case} {rank}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("case", SHARDS)
def test_any_number_of_processes_gives_the_same_digits(case, gathered):
    for rank, shard in enumerate(SHARDS[case]):
        result, again, index = gathered(case, rank)
        assert result == again == MEANS
        assert index == sorted(set(shard))
