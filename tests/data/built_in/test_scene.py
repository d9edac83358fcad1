import math

import numpy as np
import pytest

from src.data.built_in.layout import STYLES, lay_out
from src.data.built_in.scene import FACES, JUMP, SKY, Box, Camera, Plane, Sphere, cast, occlusion_edges, turn

FLOOR = Plane(normal=(0, -1, 0), distance=1.5)
WALL = Plane(normal=(0, 0, -1), distance=4.0)


def camera(size=(48, 64), focal=50.0, rotation=None, centre=None):
    h, w = size
    cx, cy = (w / 2, h / 2) if centre is None else centre
    intrinsics = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
    return Camera(size=size, intrinsics=intrinsics, rotation=np.eye(3) if rotation is None else rotation)


def depth_of(*shapes, **options):
    view = camera(**options)
    return cast(shapes, view, view.rays())


def backproject(depth, view):
    """World points of a depth map, by the pinhole equations written out."""
    h, w = view.size
    fx, cx, fy, cy = view.intrinsics[0, 0], view.intrinsics[0, 2], view.intrinsics[1, 1], view.intrinsics[1, 2]
    columns, rows = np.arange(w)[None, :] + 0.5, np.arange(h)[:, None] + 0.5
    points = np.stack([(columns - cx) / fx * depth, (rows - cy) / fy * depth, depth])
    return np.einsum("ij,jhw->ihw", view.rotation, points)


def test_depth_of_a_wall_straight_ahead_is_its_distance_everywhere_not_the_length_of_the_rays():
    depth, surface = depth_of(WALL)
    np.testing.assert_allclose(depth, 4.0, rtol=1e-15)
    assert (surface == 0).all()


def test_depth_of_the_ground_is_focal_length_times_height_over_rows_below_the_horizon():
    depth, surface = depth_of(FLOOR)
    rows = np.arange(24, 48) + 0.5
    np.testing.assert_allclose(depth[24:], np.repeat((50 * 1.5 / (rows - 24))[:, None], 64, 1), rtol=1e-12)
    assert np.isinf(depth[:24]).all()
    assert (surface[:24] == SKY).all()


def test_the_principal_point_moves_the_horizon():
    depth, _ = depth_of(FLOOR, centre=(32, 10))
    assert np.isinf(depth[9]).all()
    np.testing.assert_allclose(depth[10], 50 * 1.5 / 0.5, rtol=1e-12)


def test_depth_of_a_sphere_solves_the_quadratic_of_each_pixel():
    centre, radius = np.array([0.3, -0.2, 3.0]), 0.8
    depth, _ = depth_of(Sphere(centre=tuple(centre), radius=radius))
    for row, column in ((24, 32), (10, 40), (20, 30), (33, 38)):
        ray = np.array([(column + 0.5 - 32) / 50, (row + 0.5 - 24) / 50, 1.0])
        roots = np.roots([ray @ ray, -2 * ray @ centre, centre @ centre - radius**2])
        expected = roots.real.min() if np.isreal(roots).all() else np.inf
        np.testing.assert_allclose(depth[row, column], expected, rtol=1e-12)
    # the outline: rays whose angle to the centre's direction is below asin(radius / distance)
    rays = camera().rays()
    cosine = (rays * centre[:, None, None]).sum(0) / np.linalg.norm(rays, axis=0) / np.linalg.norm(centre)
    outline = np.arccos(cosine) < math.asin(radius / np.linalg.norm(centre))
    np.testing.assert_array_equal(np.isfinite(depth), outline)


def test_depth_of_a_facing_box_is_that_of_its_front_inside_its_outline():
    depth, surface = depth_of(Box(centre=(0, 0, 3), half=(0.51, 0.25, 1), yaw=0))
    # the front at z = 2 spans 0.51 x 50 / 2 = 12.75 columns and 6.25 rows to each side of the centre
    expected = np.full((48, 64), np.inf)
    expected[18:30, 19:45] = 2.0
    np.testing.assert_allclose(depth, expected, rtol=1e-15)
    assert set(surface[18:30, 19:45].ravel()) == {2}


def test_depth_of_a_turned_box_by_its_two_visible_sides():
    # turned by 45 degrees: an edge faces the camera, z = 3 - sqrt(2) / 2 there, and both sides recede at 45 degrees
    depth, surface = depth_of(Box(centre=(0, 0, 3), half=(0.5, 9, 0.5), yaw=math.pi / 4))
    slope = np.abs(np.arange(64) + 0.5 - 32) / 50
    expected = (3 - math.sqrt(0.5)) / (1 - slope)
    expected = np.where(slope * expected < math.sqrt(0.5), expected, np.inf)
    np.testing.assert_allclose(depth, np.repeat(expected[None], 48, 0), rtol=1e-12)
    assert len(set(surface[20][np.isfinite(expected)])) == 2


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(centre=(0, 0, -3), radius=1),
        Sphere(centre=(0, 0, 0.5), radius=1),
        Box(centre=(0, 0, -3), half=(1, 1, 1), yaw=0.3),
        Box(centre=(0, 0, 0), half=(1, 1, 1), yaw=0.3),
        Plane(normal=(0, 0, 1), distance=2.0),
    ],
    ids=["sphere behind", "inside a sphere", "box behind", "inside a box", "plane behind"],
)
def test_what_is_behind_or_around_the_camera_is_not_seen(shape):
    depth, surface = depth_of(shape)
    assert np.isinf(depth).all()
    assert (surface == SKY).all()


def test_rays_along_a_surface_are_neither_hits_nor_warnings():
    # odd size: the central ray is exactly (0, 0, 1), along the ground, the walls and the sides of the box
    for shape in (FLOOR, Plane(normal=(1, 0, 0), distance=2.0), Box(centre=(2, 0, 5), half=(1, 1, 1), yaw=0)):
        depth, _ = depth_of(shape, size=(5, 5))
        assert np.isinf(depth[2, 2])
    depth, _ = depth_of(Box(centre=(0, 0, 5), half=(1, 1, 1), yaw=0), size=(5, 5))
    assert depth[2, 2] == 4


def test_the_nearest_of_several_surfaces_is_seen_in_any_order():
    shapes = (WALL, Sphere(centre=(0, 0, 3), radius=0.5), Box(centre=(0.2, 0, 2.4), half=(0.3, 0.3, 0.3), yaw=0.2))
    single = np.stack([depth_of(shape)[0] for shape in shapes])
    depth, surface = depth_of(*shapes)
    np.testing.assert_array_equal(depth, single.min(0))
    np.testing.assert_array_equal(surface // FACES, single.argmin(0))
    np.testing.assert_array_equal(depth_of(*shapes[::-1])[0], depth)


def test_depth_is_measured_along_the_optical_axis_of_a_tilted_camera():
    rotation = turn(1, 0.3) @ turn(0, -0.2) @ turn(2, 0.1)
    view = camera(rotation=rotation)
    depth, _ = cast((FLOOR,), view, view.rays())
    points = backproject(depth, view)
    seen = np.isfinite(depth)
    np.testing.assert_allclose(points[1][seen], 1.5, rtol=1e-12)
    assert (points[2][seen] > 0).any()


def test_turns_keep_lengths_and_go_the_stated_way():
    for axis in range(3):
        matrix = turn(axis, 0.7)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-15)
        assert np.linalg.det(matrix) == pytest.approx(1)
        after, before = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        np.testing.assert_allclose(turn(axis, math.pi / 2) @ after, before, atol=1e-15)


def test_pitch_looks_down():
    depth, _ = depth_of(FLOOR, rotation=turn(0, -math.pi / 2 + 0.001))
    np.testing.assert_allclose(depth, 1.5, rtol=0.01)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(3))
def test_whole_scenes_agree_with_points_on_and_nothing_before_the_surfaces(style, seed):
    scene = lay_out(style, np.random.default_rng(seed), (60, 80))
    depth, surface = cast(scene.shapes, scene.camera, scene.camera.rays())
    seen = np.isfinite(depth)

    def outside(points):
        """How far points lie outside of each shape; negative inside. From the definitions of the shapes alone."""
        for shape in scene.shapes:
            if isinstance(shape, Plane):
                yield np.tensordot(shape.normal, points, 1) + shape.distance
                continue
            offset = points - np.array(shape.centre)[:, None, None]
            if isinstance(shape, Sphere):
                yield np.linalg.norm(offset, axis=0) - shape.radius
                continue
            c, s = math.cos(shape.yaw), math.sin(shape.yaw)
            local = np.stack([c * offset[0] - s * offset[2], offset[1], s * offset[0] + c * offset[2]])
            yield (np.abs(local) - np.array(shape.half)[:, None, None]).max(0)

    distances = np.stack(list(outside(backproject(np.where(seen, depth, 1), scene.camera))))
    hit = np.take_along_axis(distances, np.maximum(surface // FACES, 0)[None], 0)[0]
    assert np.abs(hit[seen]).max() < 1e-8
    for part in np.linspace(0.02, 0.98, 25):
        before = np.stack(list(outside(backproject(part * np.where(seen, depth, 50), scene.camera))))
        assert before.min() > -1e-8


def test_a_box_before_a_wall_has_its_outline_as_edge():
    depth, surface = depth_of(WALL, Box(centre=(0, 0, 2.5), half=(0.51, 0.25, 0.5), yaw=0))
    edges = occlusion_edges(depth, surface)
    expected = np.zeros((48, 64), bool)
    expected[18:30, 19:45] = True
    expected[19:29, 20:44] = False
    np.testing.assert_array_equal(edges, expected)


@pytest.mark.parametrize(("gap", "marked"), [(1.02 * JUMP, True), (0.98 * JUMP, False)])
def test_edges_need_a_gap_relative_to_the_farther_side(gap, marked):
    front = Box(centre=(0, 0, 4 * (1 - gap) + 1), half=(0.5, 0.5, 1), yaw=0)
    assert occlusion_edges(*depth_of(WALL, front)).any() == marked


def test_surfaces_that_touch_have_no_edge_however_steeply_they_are_seen():
    side = Plane(normal=(1, 0, 0), distance=1.0)
    room = (FLOOR, WALL, side, Plane(normal=(-1, 0, 0), distance=1.2), Plane(normal=(0, 1, 0), distance=1.0))
    assert not occlusion_edges(*depth_of(*room, rotation=turn(1, 0.2) @ turn(2, 0.05))).any()
    assert not occlusion_edges(*depth_of(FLOOR, rotation=turn(2, 0.05))).any()  # the horizon


def test_the_foot_of_a_box_is_no_edge_but_its_top_is():
    depth, surface = depth_of(FLOOR, Box(centre=(0, 1.0, 5), half=(0.5, 0.5, 0.5), yaw=0))
    edges = occlusion_edges(depth, surface)
    front = np.argwhere(surface == FACES + 2)
    foot, middle = front[:, 0].max(), int(front[:, 1].mean())
    assert not edges[foot : foot + 2, middle].any()
    top = np.argwhere(surface // FACES == 1)[:, 0].min()
    assert edges[top, middle]
    assert not edges[surface == 0].any()


def test_things_before_the_sky_have_edges():
    depth, surface = depth_of(Sphere(centre=(0, 0, 3), radius=0.5))
    edges = occlusion_edges(depth, surface)
    assert edges.any()
    assert np.isfinite(depth[edges]).all()


def test_edges_at_the_border_of_the_image_and_of_tiny_images():
    depth = np.array([[1.0, 5.0]])
    np.testing.assert_array_equal(occlusion_edges(depth, np.array([[0, 4]], np.int32)), [[True, False]])
    np.testing.assert_array_equal(occlusion_edges(depth.T, np.array([[0], [4]], np.int32)), [[True], [False]])
    assert not occlusion_edges(np.array([[1.0]]), np.array([[0]], np.int32)).any()


def test_a_road_that_passes_under_the_camera_is_searched_only_below_its_horizon():
    view = camera()
    road = Box(centre=(0, 1.5, 0), half=(2, 0.01, 400), yaw=0)
    rows, _ = view.window(road)
    assert rows.start in (23, 24)
    assert rows.stop == 48
    whole, _ = road.intersect(np.zeros((3, 1)), view.rays().reshape(3, -1))
    np.testing.assert_array_equal(cast((road,), view, view.rays())[0], whole.reshape(48, 64))


def test_a_shape_wholly_behind_the_camera_is_not_searched_for():
    rows, columns = camera().window(Box(centre=(0, 0, -3), half=(1, 1, 1), yaw=0.3))
    assert rows.stop == columns.stop == 0
