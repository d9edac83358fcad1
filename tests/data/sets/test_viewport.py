import numpy as np
import pytest

from src.data.sets.viewport import nearest_valid, viewport

RNG = np.random.default_rng(0)


def camera(fx, fy, cx=0.5, cy=0.5):
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def test_the_same_shape_with_the_axis_in_the_middle_changes_nothing():
    image, depth = RNG.integers(0, 256, (6, 9, 3), np.uint8), RNG.uniform(1, 9, (6, 9)).astype(np.float32)
    labels, valid = RNG.integers(0, 5, (6, 9)), RNG.random((6, 9)) < 0.7
    view = viewport(camera(0.8, 1.2), (6, 9))
    assert view.resized == (6, 9)
    np.testing.assert_array_equal(view.image(image), image)
    shown, seen = view.depth(depth, valid)
    np.testing.assert_array_equal(seen, valid)
    np.testing.assert_allclose(shown, np.where(valid, depth, 0), rtol=1e-6)
    np.testing.assert_array_equal(view.labels(labels), labels)
    np.testing.assert_allclose(view.intrinsics, [[7.2, 0, 4.5], [0, 7.2, 3], [0, 0, 1]], rtol=1e-6)


def test_another_shape_is_the_middle_of_the_image():
    image = RNG.integers(0, 256, (6, 14, 3), np.uint8)
    depth = RNG.uniform(1, 9, (6, 14)).astype(np.float32)
    view = viewport(camera(0.6, 1.4), (6, 8))
    np.testing.assert_array_equal(view.image(image), image[:, 3:11])
    np.testing.assert_allclose(view.depth(depth, np.ones((6, 14), bool))[0], depth[:, 3:11], rtol=1e-6)
    np.testing.assert_allclose(view.intrinsics, [[8.4, 0, 4], [0, 8.4, 3], [0, 0, 1]], rtol=1e-6)


def test_an_image_off_the_axis_is_warped_as_opencv_warps_it():
    # OpenCV 4.10, Pillow 11: resize to 4 x 3 by LANCZOS, then cv2.remap(..., INTER_LINEAR) at K inv(R) inv(K_shown) uv
    image = (np.arange(5 * 7 * 3).reshape(5, 7, 3) * 37 % 256).astype(np.uint8)
    view = viewport(camera(0.9, 1.2, 0.45, 0.56), (3, 4))
    assert view.resized == (3, 4)
    shown = view.image(image)
    assert shown[..., 0].tolist() == [[72, 171, 121, 112], [88, 198, 137, 127], [89, 126, 154, 141]]
    assert shown[..., 1].tolist() == [[86, 71, 164, 148], [100, 85, 188, 164], [113, 102, 116, 167]]


def test_depth_is_that_of_the_same_ray_seen_from_the_turned_camera():
    size, shape, k = (11, 16), (24, 30), camera(0.9, 1.1, 0.44, 0.57)
    depth = RNG.uniform(2, 4, shape).astype(np.float32)
    view = viewport(k, size)
    shown, seen = view.depth(depth, np.ones(shape, bool))
    middle = np.linalg.inv(k) @ (0.5, 0.5, 1)
    axis = middle / np.linalg.norm(middle)
    fx, cx, fy, cy = view.intrinsics[[0, 0, 1, 1], [0, 2, 1, 2]].tolist()
    near = nearest_valid(np.ones(shape, bool), view.resized)
    assert seen.all()
    assert (cx, cy) == (8, 5.5)
    for row, column in ((0, 0), (0, 15), (5, 8), (10, 3)):
        # the point that the shown depth stands for, along the resized pixel's own ray of the unturned camera
        u = (np.rint(view.columns[row, column]) + 0.5) / view.resized[1]
        v = (np.rint(view.rows[row, column]) + 0.5) / view.resized[0]
        ray = np.linalg.inv(k) @ (u, v, 1)
        along = shown[row, column] * np.linalg.norm([(column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy, 1])
        at = int(v * view.resized[0]), int(u * view.resized[1])
        source = depth[near[0][at], near[1][at]]
        assert along == pytest.approx(source * np.linalg.norm(ray), rel=1e-5)
        # and the angle to the new axis is that of the shown pixel, to within one pixel
        cosine = ray @ axis / np.linalg.norm(ray)
        expected = 1 / np.linalg.norm([(column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy, 1])
        assert np.arccos(cosine) == pytest.approx(np.arccos(expected), abs=1 / fx)


def test_what_is_shown_lies_within_the_image():
    for _ in range(20):
        view = viewport(camera(*RNG.uniform(0.5, 2, 2), *RNG.uniform(0.35, 0.65, 2)), (30, 40))
        corner = view.columns.min(), view.rows.min(), view.columns.max(), view.rows.max()
        assert min(corner[:2]) >= -0.5 - 1e-9
        assert corner[2] <= view.resized[1] - 0.5 + 1e-9
        assert corner[3] <= view.resized[0] - 0.5 + 1e-9


@pytest.mark.parametrize("size", [(3, 4), (7, 9), (9, 5), (20, 11)])
def test_nearest_valid_agrees_with_a_search(size):
    valid = RNG.random((13, 11)) < 0.4
    rows, columns, found = nearest_valid(valid, size)
    steps = [max(1.0, old / new) for old, new in zip(valid.shape, size, strict=True)]
    for y in range(size[0]):
        for x in range(size[1]):
            centre = (y + 0.5) * 13 / size[0], (x + 0.5) * 11 / size[1]
            first = [round(c - step / 2) for c, step in zip(centre, steps, strict=True)]
            seen = [
                ((r + 0.5 - centre[0]) ** 2 + (c + 0.5 - centre[1]) ** 2, r, c)
                for r in range(first[0], first[0] + int(np.ceil(steps[0])))
                for c in range(first[1], first[1] + int(np.ceil(steps[1])))
                if 0 <= r < 13 and 0 <= c < 11 and valid[r, c]
            ]
            assert found[y, x] == bool(seen)
            if seen:
                nearest = min(seen)
                assert (rows[y, x], columns[y, x]) == nearest[1:]
