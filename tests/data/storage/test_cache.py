import functools
import json
import multiprocessing
import os

import numpy as np
import pytest
import torch
from PIL import Image

from src.core.errors import DataError
from src.data.base import DepthDataset, Frame
from src.data.sets.published import PublishedDataset, per_metre, read_image, read_stored
from src.data.storage import cache as cache_module
from src.data.storage.cache import DecodedCache


class Pictures(PublishedDataset):
    """x/<k>.png with x/<k>_depth.png and one calibration for all."""

    origin = "pictures"

    def pairs(self):
        return {f"é {k}": (f"x/{k}.png", f"x/{k}_depth.png") for k in range(3)}

    def shared_files(self):
        return ("focal.txt",)

    @functools.cached_property
    def decoded(self):
        return []

    def read(self, i):
        image, depth = self.files[self.sample_ids[i]]
        self.decoded.append(i)
        f = float(self.tree.read("focal.txt"))
        return Frame(
            image=read_image(self.tree, image),
            depth=per_metre(read_stored(self.tree, depth), 1000),
            intrinsics=np.array([[f, 0, 2], [0, f, 1], [0, 0, 1]], np.float32),
            cluster="haus 1",
            slice="größe",
            edges=np.eye(4, 5) > 0,
            segments=np.arange(20).reshape(4, 5),
            plane_normals=np.full((2, 3), np.nan, np.float32),
        )


@pytest.fixture
def root(tmp_path, pack, form):
    folder = tmp_path / "set"
    (folder / "x").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).save(folder / f"x/{k}.png")
        Image.fromarray(rng.integers(0, 9000, (4, 5)).astype(np.uint16)).save(folder / f"x/{k}_depth.png")
    (folder / "focal.txt").write_text("500")
    return pack(folder, form)


@pytest.fixture
def cache(tmp_path):
    return DecodedCache(tmp_path / "cache")


def pictures(root, **changes):
    return Pictures(**{"root": str(root), "count": 3, "depth_range": (0.5, 8.0), **changes})


def entries(cache):
    return sorted(path for path in cache._folder.rglob("*") if path.is_file())


def same(left, right):
    assert (left.sample_id, left.index, left.cluster, left.slice, left.depth_range) == (
        right.sample_id, right.index, right.cluster, right.slice, right.depth_range,
    )  # fmt: skip
    assert left.tensors().keys() == right.tensors().keys()
    for name, tensor in left.tensors().items():
        other = right.tensors()[name]
        assert tensor.dtype == other.dtype
        assert tensor.shape == other.shape
        assert tensor.numpy().tobytes() == other.numpy().tobytes()


def test_samples_come_back_to_the_last_bit_without_being_decoded(root, cache):
    for i in range(3):
        same(cache.sample(pictures(root), i), pictures(root)[i])
    again = pictures(root)
    for i in range(3):
        same(DecodedCache(cache._folder).sample(again, i), pictures(root)[i])
    assert not again.decoded
    assert len(entries(cache)) == 3


def test_another_range_or_another_file_is_another_entry(root, cache, form):
    first = cache.sample(pictures(root), 0)
    wider = cache.sample(pictures(root, depth_range=(0.5, 9.0)), 0)
    assert wider.valid.sum() > first.valid.sum()
    if form == "folder":
        Image.new("RGB", (5, 4), (9, 9, 9)).save(root / "x/0.png")
        assert (cache.sample(pictures(root), 0).image == 9).all()
        (root / "focal.txt").write_text("600.5")
        assert cache.sample(pictures(root), 0).intrinsics[0, 0, 0] == 600.5
    else:  # whatever changes in an archive changes the archive
        os.utime(f"{root}.{form}", ns=(1, 1))
        again = pictures(root)
        cache.sample(again, 0)
        assert again.decoded == [0]


def test_a_change_of_the_code_that_reads_is_another_entry(root, cache, tmp_path, monkeypatch):
    cache.sample(pictures(root), 0)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "decode.py").write_text("changed")
    monkeypatch.setattr(cache_module, "_CODE", (*cache_module._CODE, tmp_path / "code"))
    again = pictures(root)
    DecodedCache(cache._folder).sample(again, 0)
    assert again.decoded == [0]


def damaged():
    yield "empty", lambda _: b""
    yield "cut off", lambda content: content[:-1]
    yield "flipped", lambda content: content[:-7] + bytes([content[-7] ^ 1]) + content[-6:]
    yield "foreign", lambda _: b"<html>404</html>" * 9
    yield "other head", lambda content: content[:20] + bytes(6) + content[26:]


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in damaged()])
@pytest.mark.parametrize("form", ["folder"])
def test_a_damaged_entry_is_reported_and_made_anew(root, cache, caplog, change):
    whole = cache.sample(pictures(root), 1)
    (entry,) = entries(cache)
    content = entry.read_bytes()
    entry.write_bytes(change(content))
    same(cache.sample(pictures(root), 1), whole)
    assert f"{entry}: a damaged entry of the cache" in caplog.text
    assert entry.read_bytes() == content


@pytest.mark.parametrize("form", ["folder"])
def test_an_entry_of_another_image_is_not_believed(root, cache, caplog):
    cache.sample(pictures(root), 0)
    (zero,) = entries(cache)
    cache.sample(pictures(root), 1)
    (one,) = (entry for entry in entries(cache) if entry != zero)
    one.write_bytes(zero.read_bytes())
    same(cache.sample(pictures(root), 1), pictures(root)[1])
    assert "holds 'é 0'" in caplog.text


@pytest.mark.parametrize("form", ["folder"])
def test_failures_are_not_kept_and_the_cache_may_be_deleted(root, cache):
    content = (root / "x/0.png").read_bytes()
    (root / "x/0.png").write_bytes(content[:50])
    with pytest.raises(DataError, match=r"0\.png: expected a readable image"):
        cache.sample(pictures(root), 0)
    assert not entries(cache)
    (root / "x/0.png").unlink()
    dataset = pictures(root)
    dataset.lists_incomplete = True
    with pytest.raises(DataError, match=r"expected a file 'x/0\.png' in it, but there is none"):
        cache.sample(dataset, 0)
    (root / "x/0.png").write_bytes(content)
    kept = cache.sample(pictures(root), 0)
    for entry in entries(cache):
        entry.unlink()
    same(cache.sample(pictures(root), 0), kept)


@pytest.mark.parametrize("form", ["folder"])
def test_a_cache_that_cannot_be_written_is_reported_once_and_costs_nothing(root, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = DecodedCache(tmp_path / "cache")
    for i in range(2):
        same(cache.sample(pictures(root), i), pictures(root)[i])
    assert caplog.text.count("the cache cannot be written") == 1


def test_a_data_set_that_does_not_say_what_it_reads_is_not_kept(numbered, cache):
    dataset = numbered(n=2)
    for _ in range(2):
        cache.sample(dataset, 1)
    assert dataset.decoded == [1, 1]
    assert not entries(cache)


def test_a_wrapped_data_set_is_known_by_what_it_wraps(root, cache, form):
    class Darker(DepthDataset):
        def __init__(self, *, dataset, factor):
            super().__init__(depth_range=dataset.depth_range)
            self.dataset, self.factor = dataset, factor

        def index(self):
            return self.dataset.sample_ids

        def stamps(self, i):
            return self.dataset.stamps(i)

        def read(self, i):
            return self.dataset.read(i)

    for _ in range(2):
        cache.sample(Darker(dataset=pictures(root), factor=2), 0)
    cache.sample(Darker(dataset=pictures(root), factor=3), 0)
    cache.sample(Darker(dataset=pictures(root, depth_range=(1.0, 3.0)), factor=3), 0)
    assert len(entries(cache)) == 3


def fill(folder, root):
    torch.set_num_threads(1)
    for i in (0, 1, 2):
        DecodedCache(folder).sample(pictures(root), i)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform cannot fork")
@pytest.mark.parametrize("form", ["folder"])
def test_runs_at_the_same_time_share_it(root, cache):
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=fill, args=(cache._folder, root)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0] * 4
    assert [entry.suffix for entry in entries(cache)] == [".sample"] * 3
    for i in range(3):
        same(cache.sample(pictures(root), i), pictures(root)[i])


def test_what_a_data_set_was_made_with_is_plain_json(root):
    dataset = pictures(root)
    before = cache_module._plain(dataset)
    dataset.lists_incomplete = True
    assert dataset[1].sample_id == ("é 1",)
    assert cache_module._plain(dataset) == before
    assert json.loads(json.dumps(before))[1] == {
        "root": str(root), "count": 3, "depth_range": [0.5, 8.0], "valid_range": [0.5, 8.0],
    }  # fmt: skip
    dataset.weights = np.ones(3)
    assert cache_module._plain(dataset) != before
