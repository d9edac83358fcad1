import numpy as np
import pytest
import torch

from src.core.errors import ConfigError, DataError
from src.data.base import DepthDataModule, DepthDataset, Frame, Shard


class Numbered(DepthDataset):
    """Image i has depth i + 1 everywhere; two sizes take turns."""

    def __init__(self, n, names=None, depth_range=(0.0, 100.0), **frame):
        super().__init__(depth_range=depth_range)
        self.names = [f"{i:02d}" for i in range(n)] if names is None else names
        self.frame = frame

    def index(self):
        return self.names

    def read(self, i):
        size = (2, 3) if i % 2 == 0 else (3, 2)
        fields = {"image": np.zeros((*size, 3), np.uint8), "depth": np.full(size, i + 1, np.float32)}
        return Frame(**{**fields, **self.frame})


def module(dataset, **changes):
    return DepthDataModule(**{"dataset": dataset, "batch_size": 2, "num_workers": 0, "limit": None, **changes})


def test_image_and_maps_reach_the_sample_unchanged():
    rng = np.random.default_rng(0)
    frame = {
        "image": rng.integers(0, 256, (2, 3, 3), np.uint8),
        "depth": rng.random((2, 3), np.float32) + 1,
        "intrinsics": rng.random((3, 3), np.float32),
        "group": "kitchen",
        "edges": rng.random((2, 3)) > 0.5,
        "segments": rng.integers(0, 5, (2, 3)),
        "plane_normals": rng.random((4, 3), np.float32),
        "point_pairs": rng.integers(0, 2, (6, 5)),
    }
    sample = Numbered(1, **frame)[0]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), frame["image"])
    for name in ("depth", "edges", "segments"):
        np.testing.assert_array_equal(getattr(sample, name)[0, 0], frame[name])
    for name in ("intrinsics", "plane_normals", "point_pairs"):
        np.testing.assert_array_equal(getattr(sample, name)[0], frame[name])
    assert (sample.sample_id, sample.index, sample.group) == (("00",), (0,), ("kitchen",))


def test_only_measured_depth_strictly_inside_the_range_counts():
    depth = np.array([[1.0, 10.0, np.nextafter(np.float32(1), 2)], [np.nan, np.inf, 9.5]], np.float32)
    sample = Numbered(1, depth_range=(1.0, 10.0), depth=depth)[0]
    assert sample.valid[0, 0].tolist() == [[False, False, True], [False, False, True]]
    assert sample.depth[0, 0, 0, 2] == depth[0, 2]
    assert (sample.depth[~sample.valid] == 0).all()
    assert sample.depth_range == (1.0, 10.0)


def test_what_counts_may_differ_from_what_predictions_are_clipped_to():
    class Clipped(Numbered):
        def __init__(self):
            super().__init__(1, depth_range=(2.0, 5.0), depth=np.array([[0, 1, 2], [5, 9, np.inf]], np.float32))
            self.valid_range = (0.0, float("inf"))

    sample = Clipped()[0]
    assert sample.valid[0, 0].tolist() == [[False, True, True], [True, True, False]]
    assert sample.depth_range == (2.0, 5.0)


def test_in_ordinal_sets_the_annotated_points_count():
    pairs = np.array([[0, 0, 1, 2, 1], [1, 2, 0, 1, -1]])
    sample = Numbered(1, depth=None, point_pairs=pairs)[0]
    assert sample.valid[0, 0].tolist() == [[True, True, False], [False, False, True]]
    assert sample.size == (2, 3)
    assert not sample.depth.any()


@pytest.mark.parametrize(
    "pairs", [None, np.zeros((0, 5), np.int64), np.array([[0, 0, 2, 0, 1]]), np.array([[-1, 0, 0, 0, 1]])]
)
def test_ordinal_images_need_points_within_them(pairs):
    with pytest.raises(DataError, match=r"00: expected annotated points within the image, .* below \(2, 3\), got"):
        Numbered(1, depth=None, point_pairs=pairs)[0]


def test_zero_and_negative_depth_is_not_measured_even_in_a_range_from_zero():
    depth = np.array([[0.0, -0.0, -1.0], [-np.inf, 1.0, 2.0]], np.float32)
    assert Numbered(1, depth=depth)[0].valid[0, 0].tolist() == [[False, False, False], [False, True, True]]


def test_the_mask_of_the_data_set_takes_pixels_away():
    mask = np.array([[True, False, True], [True, True, False]])
    sample = Numbered(1, valid=mask, depth=np.array([[1, 1, 0], [1, 1, 1]], np.float32))[0]
    assert sample.valid[0, 0].tolist() == [[True, False, False], [True, True, False]]


def test_ground_truth_of_another_size_is_refused_and_never_resampled():
    dataset = Numbered(1, depth=np.ones((4, 6), np.float32))
    with pytest.raises(DataError, match=r"00: expected image and ground truth of one size, got \(2, 3\) and \(4, 6\)"):
        dataset[0]


@pytest.mark.parametrize("depth_range", [(-1.0, 10.0), (5.0, 5.0), (10.0, 1.0), (0.0, float("nan"))])
def test_impossible_ranges_are_refused(depth_range):
    with pytest.raises(ConfigError, match="depth_range: expected 0 <= nearest < farthest in metres, got"):
        Numbered(1, depth_range=depth_range)


def test_an_empty_split_and_repeated_ids_are_refused():
    with pytest.raises(DataError, match="Numbered: expected at least one sample, found none"):
        len(Numbered(0))
    with pytest.raises(DataError, match=r"expected unique sample ids, but these appear more than once: \['b'\]"):
        len(Numbered(3, names=["b", "a", "b"]))


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shards_are_disjoint_and_complete_even_with_fewer_images_than_ranks(n, world_size):
    dataset = Numbered(n)
    seen = []
    for rank in range(world_size):
        shard = Shard(dataset, positions=range(n), batch_size=2, rank=rank, world_size=world_size)
        assert len(shard) >= 1
        batches = [shard[i] for i in range(len(shard))]
        assert all(sum(len(sample) for sample in batch) <= 2 for batch in batches)
        mine = [index for batch in batches for sample in batch for index in sample.index]
        assert len(mine) in (n // world_size, n // world_size + 1)
        seen += mine
    assert sorted(seen) == list(range(n))


def test_a_rank_without_images_gets_one_empty_batch():
    shard = Shard(Numbered(2), positions=range(2), batch_size=4, rank=2, world_size=3)
    assert [shard[i] for i in range(len(shard))] == [()]


def test_the_loader_serves_one_sample_per_size_and_every_image_once():
    batches = list(module(Numbered(5), batch_size=3).predict_dataloader())
    assert [[sample.size for sample in batch] for batch in batches] == [[(2, 3), (3, 2)], [(3, 2), (2, 3)]]
    assert [[sample.index for sample in batch] for batch in batches] == [[(0, 2), (1,)], [(3,), (4,)]]


def test_decoding_ahead_in_another_process_changes_nothing():
    one, two = (list(module(Numbered(5), num_workers=workers).predict_dataloader()) for workers in (0, 1))
    assert [[sample.sample_id for sample in batch] for batch in one] == [
        [sample.sample_id for sample in batch] for batch in two
    ]
    for left, right in zip(one, two, strict=True):
        for a, b in zip(left, right, strict=True):
            assert torch.equal(a.depth, b.depth)


def test_a_limit_serves_the_first_images_only():
    limited = module(Numbered(5), limit=3)
    assert limited.sample_ids == ("00", "01", "02")
    served = [name for batch in limited.predict_dataloader() for sample in batch for name in sample.sample_id]
    assert sorted(served) == ["00", "01", "02"]
    assert module(Numbered(2), limit=9).sample_ids == ("00", "01")


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"num_workers": -1}, {"limit": 0}])
def test_impossible_loader_settings_are_refused(changes):
    with pytest.raises(ConfigError, match="expected batch_size >= 1, num_workers >= 0 and limit >= 1 or null, got"):
        module(Numbered(1), **changes)


def test_batches_move_to_a_device():
    data = module(Numbered(2))
    (batch,) = data.predict_dataloader()
    moved = data.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert [sample.depth.device.type for sample in moved] == ["meta", "meta"]
