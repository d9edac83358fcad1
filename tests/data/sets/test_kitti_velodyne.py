import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets import frames
from src.data.sets.kitti_velodyne import KITTIVelodyne, project

SIZE = (375, 1242)
RGB = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
DRIVE, FRAME = "2011_09_26_drive_0002_sync", "0000000069"
NUMBER = frames.kitti_eigen(annotated=False).index((DRIVE, int(FRAME)))
# the laser's axes (forward, left, up) become the camera's (right, down, forward); it sits 0.25 m behind the camera
CAMERA = (
    "S_rect_02: 1.242000e+03 3.750000e+02\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 700 0 600 0 0 700 180 0 0 0 1 0\n"
)
LASER = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.25\ndelta_f: 0 0\n"


def point(column, row, z):
    """The laser's point whose projection is (column, row), at a depth of the camera."""
    return [z + 0.25, -(column - 600) * z / 700, -(row - 180) * z / 700, 0.5]


def write(root, points):
    for drive, frame in frames.kitti_eigen(annotated=False):
        for name in (f"image_02/data/{frame:010d}.png", f"velodyne_points/data/{frame:010d}.bin"):
            path = root / drive[:10] / drive / name
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
            path.touch()
    for date in root.glob("2011_*"):
        (date / "calib_cam_to_cam.txt").write_text(CAMERA)
        (date / "calib_velo_to_cam.txt").write_text(LASER)
    folder = root / "2011_09_26" / DRIVE
    Image.fromarray(RGB).save(folder / f"image_02/data/{FRAME}.png", compress_level=1)
    (folder / f"velodyne_points/data/{FRAME}.bin").write_bytes(np.array(points, "<f4").tobytes())
    return root


def velodyne(root, **changes):
    settings = {"count": 697, "depth": "forward", "crop": None, "depth_range": (1e-3, 80.0)}
    return KITTIVelodyne(root=root, **{**settings, **changes})


POINTS = [
    point(300.4, 200.3, 10),  # rounds to (300, 200), falls on (299, 199)
    point(299.6, 199.7, 7),  # on the same pixel and nearer
    point(100.5, 200.5, 700 / 64),  # halves to even: (100, 200), falls on (99, 199)
    point(1242, 375, 30),  # the last pixel, (1241, 374)
    point(1243, 375, 30),  # outside
    point(0.4, 100, 30),  # rounds to 0, falls on -1: outside
    point(640, 190, 79.9),  # forward 80.15: out of range; of the camera in range
    [-5, 0, 0, 1],  # behind
    [0.25, 5, 1, 1],  # in the camera's plane: no projection
]
ON = {(199, 299): 7, (199, 99): 700 / 64, (374, 1241): 30, (189, 639): 79.9}


@pytest.mark.parametrize(("depth", "offset"), [("forward", 0.25), ("camera", 0.0)])
def test_the_nearest_point_of_a_pixel_counts(tmp_path, depth, offset):
    dataset = velodyne(write(tmp_path, POINTS), depth=depth)
    sample = dataset[NUMBER]
    expected = np.zeros(SIZE)
    for (row, column), z in ON.items():
        expected[row, column] = z + offset if z + offset < 80 else 0
    np.testing.assert_allclose(sample.depth[0, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB)
    assert sample.intrinsics[0].tolist() == [[700, 0, 600.5], [0, 700, 180.5], [0, 0, 1]]
    assert sample.cluster == (DRIVE,)


def test_the_crops_are_of_the_whole_frame_and_the_697_frames_complete(tmp_path, pack):
    rows, columns = (axis.ravel() + 1.0 for axis in np.indices(SIZE))  # a wall 8 m away, a point on each pixel
    wall = np.stack([np.full(rows.shape, 8.25), -(columns - 600) * 8 / 700, -(rows - 180) * 8 / 700, rows], 1)
    root = pack(write(tmp_path / "raw", wall), "tar")
    boxes = {"garg": (153, 371, 44, 1197), "eigen": (124, 342, 44, 1197), None: (0, 375, 0, 1242)}
    for crop, (top, bottom, left, right) in boxes.items():
        dataset = velodyne(root, crop=crop)
        assert len(dataset) == 697
        expected = np.zeros(SIZE, bool)
        expected[top:bottom, left:right] = True
        np.testing.assert_array_equal(dataset[NUMBER].valid[0, 0], expected)


def test_an_independent_loop_agrees():
    rng = np.random.default_rng(1)
    points = rng.uniform((-5, -20, -3, 0), (60, 20, 3, 1), (4000, 4)).astype(np.float32)
    onto_image = np.array([[600.0, -700, 0, 20], [180, 0, -700, 10], [1, 0, 0, -0.3]])
    expected = np.zeros(SIZE)
    for x, y, z, _ in points.astype(np.float64):
        a, b, c = onto_image @ (x, y, z, 1)
        column, row = round(a / c) - 1, round(b / c) - 1
        if x >= 0 and 0 <= column < SIZE[1] and 0 <= row < SIZE[0]:
            expected[row, column] = c if expected[row, column] == 0 else min(c, expected[row, column])
    np.testing.assert_array_equal(project(points, onto_image, SIZE, forward=False), expected.astype(np.float32))


@pytest.mark.parametrize("content", [b"", b"x" * 17])
def test_a_sweep_that_is_cut_off_is_refused(tmp_path, content):
    write(tmp_path, POINTS)
    (tmp_path / f"2011_09_26/{DRIVE}/velodyne_points/data/{FRAME}.bin").write_bytes(content)
    dataset = velodyne(tmp_path)
    with pytest.raises(DataError, match=rf"{FRAME}\.bin: expected points of 16 bytes .* got {len(content)} bytes"):
        dataset[NUMBER]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("calib_cam_to_cam.txt", "R_rect_00: 1 2", r"calib_cam_to_cam\.txt: expected a line R_rect_00: with 9 numbers"),
        (
            "calib_velo_to_cam.txt",
            "R: 0 -1 0 0 0 -1 1 0 0",
            r"calib_velo_to_cam\.txt: expected a line T: with 3 numbers",
        ),
    ],
)
def test_a_calibration_that_lacks_something_is_refused(tmp_path, name, text, match):
    write(tmp_path, POINTS)
    (tmp_path / "2011_09_26" / name).write_text(text)
    with pytest.raises(DataError, match=match):
        velodyne(tmp_path)[NUMBER]
    (tmp_path / "2011_09_26" / name).unlink()
    with pytest.raises(DataError, match=rf"files are missing, the first: \['2011_09_26/{name}'"):
        len(velodyne(tmp_path))


def test_unknown_depths_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"depth: expected forward .* or camera, got 'x'"):
        velodyne(tmp_path, depth="x")
