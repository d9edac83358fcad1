import numpy as np
import pytest

from src.core.errors import ConfigError, DataError


def test_image_and_maps_reach_the_sample_unchanged(numbered):
    rng = np.random.default_rng(0)
    frame = {
        "image": rng.integers(0, 256, (2, 3, 3), np.uint8),
        "depth": rng.random((2, 3), np.float32) + 1,
        "intrinsics": rng.random((3, 3), np.float32),
        "cluster": "house 1",
        "slice": "kitchen",
        "edges": rng.random((2, 3)) > 0.5,
        "segments": rng.integers(0, 5, (2, 3)),
        "plane_normals": rng.random((4, 3), np.float32),
        "point_pairs": rng.integers(0, 2, (6, 5)),
    }
    sample = numbered(n=1, **frame)[0]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), frame["image"])
    for name in ("depth", "edges", "segments"):
        np.testing.assert_array_equal(getattr(sample, name)[0, 0], frame[name])
    for name in ("intrinsics", "plane_normals", "point_pairs"):
        np.testing.assert_array_equal(getattr(sample, name)[0], frame[name])
    assert (sample.sample_id, sample.index) == (("00",), (0,))
    assert (sample.cluster, sample.slice) == (("house 1",), ("kitchen",))


def test_only_measured_depth_strictly_inside_the_range_counts(numbered):
    depth = np.array([[1.0, 10.0, np.nextafter(np.float32(1), 2)], [np.nan, np.inf, 9.5]], np.float32)
    sample = numbered(n=1, depth_range=(1.0, 10.0), depth=depth)[0]
    assert sample.valid[0, 0].tolist() == [[False, False, True], [False, False, True]]
    assert sample.depth[0, 0, 0, 2] == depth[0, 2]
    assert (sample.depth[~sample.valid] == 0).all()
    assert sample.depth_range == (1.0, 10.0)


def test_what_counts_may_differ_from_what_predictions_are_clipped_to(numbered):
    class Clipped(numbered):
        def __init__(self):
            super().__init__(n=1, depth_range=(2.0, 5.0), depth=np.array([[0, 1, 2], [5, 9, np.inf]], np.float32))
            self.valid_range = (0.0, float("inf"))

    sample = Clipped()[0]
    assert sample.valid[0, 0].tolist() == [[False, True, True], [True, True, False]]
    assert sample.depth_range == (2.0, 5.0)


def test_in_ordinal_sets_the_annotated_points_count(numbered):
    pairs = np.array([[0, 0, 1, 2, 1], [1, 2, 0, 1, -1]])
    sample = numbered(n=1, depth=None, point_pairs=pairs)[0]
    assert sample.valid[0, 0].tolist() == [[True, True, False], [False, False, True]]
    assert sample.size == (2, 3)
    assert not sample.depth.any()


@pytest.mark.parametrize(
    "pairs", [None, np.zeros((0, 5), np.int64), np.array([[0, 0, 2, 0, 1]]), np.array([[-1, 0, 0, 0, 1]])]
)
def test_ordinal_images_need_points_within_them(numbered, pairs):
    with pytest.raises(DataError, match=r"00: expected annotated points within the image, .* below \(2, 3\), got"):
        numbered(n=1, depth=None, point_pairs=pairs)[0]


def test_zero_and_negative_depth_is_not_measured_even_in_a_range_from_zero(numbered):
    depth = np.array([[0.0, -0.0, -1.0], [-np.inf, 1.0, 2.0]], np.float32)
    assert numbered(n=1, depth=depth)[0].valid[0, 0].tolist() == [[False, False, False], [False, True, True]]


def test_the_mask_of_the_data_set_takes_pixels_away(numbered):
    mask = np.array([[True, False, True], [True, True, False]])
    sample = numbered(n=1, valid=mask, depth=np.array([[1, 1, 0], [1, 1, 1]], np.float32))[0]
    assert sample.valid[0, 0].tolist() == [[True, False, False], [True, True, False]]


def test_ground_truth_of_another_size_is_refused_and_never_resampled(numbered):
    dataset = numbered(n=1, depth=np.ones((4, 6), np.float32))
    with pytest.raises(DataError, match=r"00: expected image and ground truth of one size, got \(2, 3\) and \(4, 6\)"):
        dataset[0]


@pytest.mark.parametrize("depth_range", [(-1.0, 10.0), (5.0, 5.0), (10.0, 1.0), (0.0, float("nan"))])
def test_impossible_ranges_are_refused(numbered, depth_range):
    with pytest.raises(ConfigError, match="depth_range: expected 0 <= nearest < farthest in metres, got"):
        numbered(n=1, depth_range=depth_range)


def test_an_empty_split_and_repeated_ids_are_refused(numbered):
    with pytest.raises(DataError, match="Numbered: expected at least one sample, found none"):
        len(numbered(n=0))
    with pytest.raises(DataError, match=r"expected unique sample ids, but these appear more than once: \['b'\]"):
        len(numbered(n=3, names=["b", "a", "b"]))
