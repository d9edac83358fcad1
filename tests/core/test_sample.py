import dataclasses

import pytest
import torch

from src.core.sample import Sample, concatenate, group_by_size


def make(name="a", size=(2, 3), index=0, **fields):
    h, w = size
    return Sample(
        image=torch.full((1, 3, h, w), index, dtype=torch.uint8),
        depth=torch.full((1, 1, h, w), 1.0 + index),
        valid=torch.ones(1, 1, h, w, dtype=torch.bool),
        **{
            "depth_range": (0.1, 10.0),
            "sample_id": (name,),
            "index": (index,),
            "cluster": (f"of {name}",),
            "slice": ("",),
            **fields,
        },
    )


def test_size_length_and_present_tensors():
    sample = make(size=(4, 7), intrinsics=torch.eye(3)[None])
    assert sample.size == (4, 7)
    assert len(sample) == 1
    assert list(sample.tensors()) == ["image", "depth", "valid", "intrinsics"]


def test_fields_of_different_sizes_are_refused_by_the_shape_check():
    with pytest.raises(Exception, match="valid"):
        dataclasses.replace(make(), valid=torch.ones(1, 1, 2, 4, dtype=torch.bool))


def test_moving_changes_every_tensor_and_nothing_else():
    sample = make(edges=torch.zeros(1, 1, 2, 3, dtype=torch.bool))
    moved = sample.to("meta")
    assert {value.device.type for value in moved.tensors().values()} == {"meta"}
    assert moved.tensors().keys() == sample.tensors().keys()
    assert (moved.sample_id, moved.index, moved.cluster, moved.depth_range) == (("a",), (0,), ("of a",), (0.1, 10.0))
    assert sample.depth.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_page_locked_memory():
    assert all(value.is_pinned() for value in make().pin_memory().tensors().values())


def test_concatenation_keeps_order_and_every_field():
    joined = concatenate([make("b", index=5), make("a", index=2)])
    assert joined.sample_id == ("b", "a")
    assert joined.index == (5, 2)
    assert joined.cluster == ("of b", "of a")
    assert joined.depth[:, 0, 0, 0].tolist() == [6.0, 3.0]
    assert joined.image[:, 0, 0, 0].tolist() == [5, 2]
    assert joined.depth_range == (0.1, 10.0)


def test_concatenation_of_batches():
    joined = concatenate([concatenate([make("a"), make("b", index=1)]), make("c", index=2)])
    assert joined.sample_id == ("a", "b", "c")
    assert len(joined) == 3


def test_normals_are_padded_with_nan_and_pairs_with_zero():
    def pairs(n, value):
        return torch.full((1, n, 5), value, dtype=torch.int64)

    joined = concatenate(
        [
            make("a", plane_normals=torch.ones(1, 1, 3), point_pairs=pairs(3, 7)),
            make("b", index=1, plane_normals=2 * torch.ones(1, 2, 3), point_pairs=pairs(1, 8)),
        ]
    )
    assert joined.plane_normals.shape == (2, 2, 3)
    assert joined.plane_normals[0].isnan().all(-1).tolist() == [False, True]
    assert (joined.plane_normals[1] == 2).all()
    assert joined.point_pairs[:, :, 4].tolist() == [[7, 7, 7], [8, 0, 0]]


@pytest.mark.parametrize(
    "other",
    [
        make("b", size=(3, 2)),
        make("b", depth_range=(0.1, 80.0)),
        make("b", intrinsics=torch.eye(3)[None]),
    ],
    ids=["size", "range", "fields"],
)
def test_concatenation_refuses_samples_that_differ(other):
    with pytest.raises(ValueError, match="expected samples of one size and depth range with the same fields, got"):
        concatenate([make(), other])


def test_concatenation_refuses_nothing():
    with pytest.raises(ValueError, match=r"got \[\]"):
        concatenate([])


def test_grouping_makes_one_batch_per_size_in_order_of_appearance():
    sizes = [(2, 3), (4, 4), (2, 3), (3, 2), (4, 4)]
    batches = group_by_size([make(str(k), size=size, index=k) for k, size in enumerate(sizes)])
    assert [batch.size for batch in batches] == [(2, 3), (4, 4), (3, 2)]
    assert [batch.index for batch in batches] == [(0, 2), (1, 4), (3,)]


def test_grouping_separates_samples_with_other_fields():
    batches = group_by_size([make("a"), make("b", index=1, intrinsics=torch.eye(3)[None]), make("c", index=2)])
    assert [batch.sample_id for batch in batches] == [("a", "c"), ("b",)]


def test_grouping_of_nothing_is_nothing():
    assert group_by_size([]) == ()
