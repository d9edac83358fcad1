import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from src.data.own.folder import Folder
from src.data.serving.shard import Shard, batches_of_one_shape
from src.data.storage.cache import DecodedCache

FIXED = {"batch_size": 2, "skip": False, "cache": None}


@given(shapes=st.lists(st.integers(0, 3), max_size=40), batch_size=st.integers(1, 6))
def test_batches_hold_one_shape_each_and_every_image_once(shapes, batch_size):
    positions = [10 * k for k in range(len(shapes))]
    batches = batches_of_one_shape(positions, shapes, batch_size)
    shape_of = dict(zip(positions, shapes, strict=True))
    assert sorted(position for batch in batches for position in batch) == positions
    assert all(len({shape_of[position] for position in batch}) == 1 for batch in batches)
    assert all(list(batch) == sorted(batch) for batch in batches)
    # no more batches than that needs
    assert len(batches) == sum(-(-n // batch_size) for n in collections.Counter(shapes).values())


def test_without_knowledge_of_shapes_the_order_of_the_split_is_kept():
    assert batches_of_one_shape(range(5), [None] * 5, 2) == ((0, 1), (2, 3), (4,))


@pytest.mark.parametrize("hint", [False, True])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shards_are_disjoint_and_complete_even_with_fewer_images_than_ranks(numbered, n, world_size, hint):
    dataset = numbered(n=n)
    if hint:
        dataset.shape_hint = lambda i: i % 2
    seen = []
    for rank in range(world_size):
        shard = Shard(dataset, positions=range(n), rank=rank, world_size=world_size, **FIXED)
        assert len(shard) >= 1
        batches = [shard[i] for i in range(len(shard))]
        assert all(sum(len(sample) for sample in batch) <= 2 for batch in batches)
        assert not hint or all(len(batch) <= 1 for batch in batches)
        mine = [index for batch in batches for sample in batch for index in sample.index]
        assert len(mine) in (n // world_size, n // world_size + 1)
        seen += mine
    assert sorted(seen) == list(range(n))


def test_a_rank_without_images_gets_one_empty_batch(numbered):
    shard = Shard(numbered(n=2), positions=range(2), rank=2, world_size=3, **FIXED)
    (batch,) = [shard[i] for i in range(len(shard))]
    assert (batch.samples, batch.unreadable) == ((), ())


def test_a_wrong_guess_of_shapes_costs_no_image(numbered):
    dataset = numbered(n=4)
    dataset.shape_hint = lambda i: i < 2
    shard = Shard(dataset, positions=range(4), rank=0, world_size=1, **FIXED)
    batches = [shard[i] for i in range(len(shard))]
    assert [[sample.index for sample in batch] for batch in batches] == [[(0,), (1,)], [(2,), (3,)]]


def test_images_one_by_one_need_no_look_at_shapes(numbered):
    dataset = numbered(n=3)
    dataset.shape_hint = None  # not callable
    assert len(Shard(dataset, positions=range(3), rank=0, world_size=1, **{**FIXED, "batch_size": 1})) == 3


def test_the_digits_of_an_image_do_not_depend_on_its_batch(numbered):
    dataset = numbered(n=6)
    by_size = {}
    for batch_size in (1, 2, 6):
        shard = Shard(dataset, positions=range(6), rank=0, world_size=1, **{**FIXED, "batch_size": batch_size})
        samples = [sample for i in range(len(shard)) for sample in shard[i]]
        by_size[batch_size] = {
            index: sample.depth[k].numpy() for sample in samples for k, index in enumerate(sample.index)
        }
    for batch_size in (2, 6):
        for index, depth in by_size[1].items():
            np.testing.assert_array_equal(by_size[batch_size][index], depth)


@pytest.mark.parametrize("cached", [False, True])
def test_a_batch_says_how_long_its_files_took_to_be_read(tmp_path, numbered, pack, form, cached):
    for kind, dtype in (("rgb", np.uint8), ("depth", np.uint16)):
        (tmp_path / "set" / kind).mkdir(parents=True)
        values = np.ones((40, 50, 3) if kind == "rgb" else (40, 50), dtype)
        Image.fromarray(values).save(tmp_path / "set" / kind / "0.png")
    root = pack(tmp_path / "set", form)
    source = root if form == "folder" else root.with_suffix(f".{form}")
    nothing = dict.fromkeys(("valid_range", "masks", "split", "intrinsics", "depth_key"))
    dataset = Folder(images=source / "rgb", depth=source / "depth", depth_scale=1.0, depth_range=(0.1, 10.0), **nothing)
    cache = DecodedCache(tmp_path / "cache") if cached else None
    shard = Shard(dataset, positions=[0], rank=0, world_size=1, batch_size=1, skip=False, cache=cache)
    for batch in (shard[0], shard[0]):
        assert 0 < batch.reading_seconds < batch.seconds

    invented = Shard(numbered(n=1), positions=[0], rank=0, world_size=1, **FIXED)[0]
    assert invented.reading_seconds == 0 < invented.seconds
