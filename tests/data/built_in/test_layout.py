import numpy as np
import pytest

from src.data.built_in.layout import STYLES, lay_out
from src.data.built_in.scene import Box, Plane, Sphere, cast


@pytest.fixture(params=[(style, seed) for style in STYLES for seed in range(8)], ids=str)
def scene(request):
    style, seed = request.param
    return lay_out(style, np.random.default_rng(seed), (30, 40))


def test_scenes_hold_planes_boxes_and_spheres_with_one_material_each(scene):
    assert {type(shape) for shape in scene.shapes} >= {Plane, Box}
    assert len(scene.shapes) == len(scene.materials)
    assert scene.light.towards[1] < 0  # from above


def test_the_camera_stands_in_the_open(scene):
    for shape in scene.shapes:
        if isinstance(shape, Plane):
            assert shape.distance > 0.5
        elif isinstance(shape, Sphere):
            assert np.linalg.norm(shape.centre) > shape.radius + 0.3
        else:
            local = np.abs(shape.rotation @ np.array(shape.centre)) - shape.half
            assert local.max() > 0.3


def test_nothing_sinks_into_the_ground(scene):
    ground = scene.shapes[0].distance
    for shape in scene.shapes[1:]:
        if not isinstance(shape, Plane):
            lowest = shape.centre[1] + (shape.radius if isinstance(shape, Sphere) else shape.half[1])
            assert lowest <= ground + 1e-9


def test_most_things_are_in_view(scene):
    _, surface = cast(scene.shapes, scene.camera, scene.camera.rays())
    assert len(set(surface.ravel())) > 6


def test_the_same_draws_give_the_same_scene_at_any_size():
    small, large = (lay_out("indoor", np.random.default_rng(3), size) for size in ((30, 40), (480, 640)))
    assert small.shapes == large.shapes
    assert small.materials == large.materials
    np.testing.assert_allclose(small.camera.intrinsics[:2] * 16, large.camera.intrinsics[:2])
    np.testing.assert_array_equal(small.camera.rotation, large.camera.rotation)


def test_rooms_are_closed_and_streets_open():
    for seed in range(5):
        for style, closed in (("indoor", True), ("outdoor", False)):
            scene = lay_out(style, np.random.default_rng(seed), (30, 40))
            depth, _ = cast(scene.shapes, scene.camera, scene.camera.rays())
            assert np.isfinite(depth).all() == closed
