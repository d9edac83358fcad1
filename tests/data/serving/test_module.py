import multiprocessing

import numpy as np
import pytest
import torch

from src.core.errors import ConfigError, DataError
from src.data.serving.module import DepthDataModule


@pytest.fixture
def module(numbered):
    def module(n=5, *, unreadable=(), **changes):
        dataset = numbered(n=n, unreadable=unreadable)
        arguments = {
            "batch_size": 2,
            "num_workers": 0,
            "prefetch": 2,
            "limit": None,
            "on_error": "raise",
            "cache": None,
        }
        return DepthDataModule(dataset=dataset, **{**arguments, **changes})

    return module


def positions(batches):
    return [[sample.index for sample in batch] for batch in batches]


def test_the_loader_serves_one_sample_per_size_and_every_image_once(module):
    batches = list(module(batch_size=3).predict_dataloader())
    assert [[sample.size for sample in batch] for batch in batches] == [[(2, 3), (3, 2)], [(3, 2), (2, 3)]]
    assert positions(batches) == [[(0, 2), (1,)], [(3,), (4,)]]


def test_images_of_one_shape_go_together_where_shapes_are_known(module):
    data = module(batch_size=2)
    data.dataset.shape_hint = lambda i: i % 2
    assert positions(data.predict_dataloader()) == [[(0, 2)], [(1, 3)], [(4,)]]


@pytest.mark.parametrize("workers", [1, 2])
def test_decoding_ahead_in_other_processes_changes_nothing(module, workers):
    here = list(module(unreadable=[3], on_error="skip").predict_dataloader())
    ahead = list(module(unreadable=[3], on_error="skip", num_workers=workers, prefetch=1).predict_dataloader())
    assert positions(ahead) == positions(here)
    assert [batch.unreadable for batch in ahead] == [batch.unreadable for batch in here]
    for left, right in zip(here, ahead, strict=True):
        for a, b in zip(left, right, strict=True):
            assert torch.equal(a.depth, b.depth)


def test_decoding_processes_start_as_the_platform_does_and_not_as_this_process_did(module, monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda *_: "spawn")
    context = module(num_workers=1).predict_dataloader().multiprocessing_context
    assert context.get_start_method() == multiprocessing.get_all_start_methods()[0]


def test_a_limit_serves_the_first_images_only(module):
    limited = module(limit=3)
    assert limited.sample_ids == ("00", "01", "02")
    served = [name for batch in limited.predict_dataloader() for sample in batch for name in sample.sample_id]
    assert sorted(served) == ["00", "01", "02"]
    assert module(2, limit=9).sample_ids == ("00", "01")


def test_an_unreadable_image_stops_the_loader_unless_it_is_to_be_skipped(module):
    with pytest.raises(DataError, match=r"03\.png: expected a readable image"):
        list(module(unreadable=[3]).predict_dataloader())
    batches = list(module(unreadable=[2, 3], on_error="skip").predict_dataloader())
    assert positions(batches) == [[(0,), (1,)], [], [(4,)]]
    assert [(image.index, image.sample_id, image.reason) for image in batches[1].unreadable] == [
        (2, "02", "02.png: expected a readable image"),
        (3, "03", "03.png: expected a readable image"),
    ]


def test_the_example_is_the_first_image_that_can_be_read(module):
    assert module().example().index == (0,)
    assert module(unreadable=[0, 1], on_error="skip").example().index == (2,)
    with pytest.raises(DataError, match=r"^00\.png: expected a readable image"):
        module(unreadable=[0]).example()
    with pytest.raises(DataError, match=r"none of the 2 images can be read; the first: 00\.png: expected"):
        module(2, unreadable=[0, 1], on_error="skip").example()


def test_the_data_set_lists_what_is_missing_only_where_it_is_skipped(module):
    assert [module(on_error=word).dataset.lists_incomplete for word in ("raise", "skip")] == [False, True]


def test_a_cache_folder_is_used(module, tmp_path, monkeypatch):
    data = module(cache=str(tmp_path / "cache"))
    monkeypatch.setattr(type(data.dataset), "stamps", lambda _, i: [str(i)])
    first = list(data.predict_dataloader())
    again = list(data.predict_dataloader())
    assert sorted(data.dataset.decoded) == [0, 1, 2, 3, 4]
    for left, right in zip(first, again, strict=True):
        for a, b in zip(left, right, strict=True):
            assert a.sample_id == b.sample_id
            np.testing.assert_array_equal(a.depth, b.depth)


@pytest.mark.parametrize("changes", [{"num_workers": -1}, {"limit": 0}, {"prefetch": 0}])
def test_impossible_loader_settings_are_refused(module, changes):
    with pytest.raises(ConfigError, match="expected num_workers >= 0, prefetch >= 1 and limit >= 1"):
        module(1, **changes)


def test_an_unknown_wish_for_errors_is_refused(module):
    with pytest.raises(ConfigError, match="on_error: expected raise or skip, got 'ignore'"):
        module(1, on_error="ignore")


def test_batches_move_to_a_device(module):
    data = module(2)
    (batch,) = data.predict_dataloader()
    moved = data.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert [sample.depth.device.type for sample in moved] == ["meta", "meta"]
