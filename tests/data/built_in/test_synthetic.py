import pickle

import numpy as np
import pytest

from src.core.errors import ConfigError
from src.data.built_in.layout import lay_out
from src.data.built_in.scene import cast
from src.data.built_in.synthetic import Synthetic

SIZE = (96, 128)


def synthetic(**changes):
    arguments = {"n": 4, "size": SIZE, "seed": 0, "styles": ["indoor", "outdoor"], "depth_range": (0.1, 80.0)}
    return Synthetic(**{**arguments, **changes})


def same(a, b):
    return all(np.array_equal(value, b.tensors()[name]) for name, value in a.tensors().items())


def test_styles_take_turns_and_name_the_images():
    dataset = synthetic(n=3)
    assert dataset.sample_ids == ("indoor/00000", "outdoor/00001", "indoor/00002")
    assert [dataset[i].slice for i in range(3)] == [("indoor",), ("outdoor",), ("indoor",)]
    assert synthetic(n=2, styles=["outdoor"]).sample_ids == ("outdoor/00000", "outdoor/00001")


def test_images_depend_on_seed_and_number_alone():
    dataset = synthetic()
    again = pickle.loads(pickle.dumps(dataset))  # noqa: S301
    longer = synthetic(n=99)
    for i in (3, 0, 1):
        assert same(dataset[i], again[i])
        assert same(dataset[i], longer[i])
    assert not same(dataset[0], dataset[2])
    assert not same(dataset[0], synthetic(seed=1)[0])


@pytest.mark.parametrize("i", range(4))
def test_depth_is_exact_and_lies_where_the_intrinsics_say(i):
    dataset = synthetic()
    sample = dataset[i]
    style = sample.slice[0]
    scene = lay_out(style, np.random.default_rng([0, i]), SIZE)
    _, surface = cast(scene.shapes, scene.camera, scene.camera.rays())
    # back-project by the sample's own intrinsics, then turn into the world: the ground is level and flat
    fx, _, cx, _, fy, cy, *_ = sample.intrinsics[0].double().ravel().tolist()
    depth = sample.depth[0, 0].double().numpy()
    columns, rows = np.arange(SIZE[1])[None, :] + 0.5, np.arange(SIZE[0])[:, None] + 0.5
    points = np.stack([(columns - cx) / fx * depth, (rows - cy) / fy * depth, depth])
    height = np.tensordot(scene.camera.rotation, points, 1)[1]
    ground = (surface == 0) & sample.valid[0, 0].numpy()
    assert ground.sum() > 50
    np.testing.assert_allclose(height[ground], scene.shapes[0].distance, rtol=3e-6)


def test_the_sky_has_no_depth_and_rooms_have_no_sky():
    room, street = synthetic(n=2)[0], synthetic(n=2)[1]
    assert room.valid.all()
    assert not street.valid[0, 0, 0].all()
    assert (street.depth[~street.valid] == 0).all()
    sky = street.image[0, :, ~street.valid[0, 0]].float().mean(1)
    assert sky[2] > sky[0]


def test_the_range_limits_what_counts_but_not_the_depth():
    near, far = synthetic(depth_range=(0.1, 3.0))[1], synthetic()[1]
    assert near.valid.sum() < far.valid.sum()
    assert near.depth[near.valid].equal(far.depth[near.valid])


@pytest.mark.parametrize("i", range(4))
def test_edges_lie_where_depth_jumps_on_the_nearer_side(i):
    sample = synthetic()[i]
    depth = np.where(sample.valid[0, 0], sample.depth[0, 0], np.inf)
    padded = np.pad(depth, 1, mode="edge")
    farthest = np.maximum.reduce([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    edges = sample.edges[0, 0].numpy()
    assert 0.005 < edges.mean() < 0.2
    assert (farthest[edges] > 1.04 * depth[edges]).all()
    assert np.isfinite(depth[edges]).all()


def test_images_look_like_something():
    for i in range(4):
        image = synthetic()[i].image.float()
        assert image.std() > 25
        assert (image == 255).float().mean() < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 2)])
def test_odd_sizes(size):
    sample = synthetic(n=2, size=size)[1]
    assert sample.size == size


@pytest.mark.parametrize("changes", [{"n": 0}, {"seed": -1}, {"size": [480]}, {"size": [0, 640]}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ConfigError, match=r"expected n >= 1, seed >= 0 and a size \[height, width\], got"):
        synthetic(**changes)


@pytest.mark.parametrize("styles", [[], ["indoor", "underwater"]])
def test_unknown_styles_are_refused_with_the_known_ones(styles):
    with pytest.raises(ConfigError, match=r"expected styles from \['indoor', 'outdoor'\], at least one, got"):
        synthetic(styles=styles)
