"""What a file says about its numbers brings the numbers back."""

import numpy as np
import pytest
from PIL import Image

from src.core.maps import read_map
from src.core.prediction import OutputSpace
from src.engine.prediction.map_files import write_colour, write_npy, write_ply, write_png16

SPACES = list(OutputSpace)


def from_png(path):
    with Image.open(path) as image:
        texts = image.text
        stored = np.asarray(image)
    return np.where(stored > 0, stored * float(texts["scale"]) + float(texts["offset"]), np.nan), texts


def test_npy_is_exact(tmp_path):
    values = np.array([[np.nan, np.inf, 1e-30, -2]], np.float32)
    write_npy(tmp_path / "x.npy", values)
    np.testing.assert_array_equal(read_map(tmp_path / "x.npy"), values)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("largest", [0.3, 65, 90, 900, 1e5])
def test_a_16_bit_png_says_how_to_read_it(tmp_path, space, largest):
    values = np.linspace(largest / 50, largest, 12, dtype=np.float32).reshape(3, 4)
    values[0, 0] = np.nan
    said = write_png16(tmp_path / "x.png", values, space)
    read, texts = from_png(tmp_path / "x.png")

    assert np.isnan(read[0, 0])
    np.testing.assert_allclose(read, values, atol=0.51 * said["scale"], rtol=1e-6)
    assert (texts["space"], texts["unit"]) == (space, "m" if space is OutputSpace.METRIC_DEPTH else "unknown")


def test_metres_are_stored_in_round_steps_and_keep_their_origin(tmp_path):
    steps = {
        reach: write_png16(tmp_path / "x.png", np.array([[1, reach]], np.float32), OutputSpace.METRIC_DEPTH)
        for reach in (65.0, 80.0, 300.0, 10_000.0)
    }
    assert [(one["scale"], one["offset"]) for one in steps.values()] == [
        (0.001, 0), (1 / 256, 0), (0.01, 0), (10_000 / 65535, 0)
    ]  # fmt: skip
    write_png16(tmp_path / "x.png", np.array([[1.234, -1, 0]], np.float32), OutputSpace.METRIC_DEPTH)
    assert np.asarray(Image.open(tmp_path / "x.png")).tolist() == [[1234, 0, 0]]


@pytest.mark.parametrize("values", [[[3.0, 3.0]], [[np.nan, np.inf]], [[0.0, 0.0]]])
@pytest.mark.parametrize("space", SPACES)
def test_a_constant_or_empty_map_can_be_written(tmp_path, values, space):
    array = np.array(values, np.float32)
    said = write_png16(tmp_path / "x.png", array, space)
    limits = write_colour(tmp_path / "c.png", array, space)
    assert np.isfinite([*said.values(), *limits.values()]).all()
    if np.isfinite(array).all() and (array > 0).all():
        np.testing.assert_allclose(from_png(tmp_path / "x.png")[0], array, rtol=2e-5)


def test_light_is_near_in_every_space_and_green_is_not_finite(tmp_path):
    growing = np.tile(np.linspace(1, 2, 100, dtype=np.float32), (2, 1))
    growing[1, 50] = np.inf
    for space in SPACES:
        write_colour(tmp_path / "c.png", growing, space)
        with Image.open(tmp_path / "c.png") as image:
            light = np.asarray(image.convert("L")).astype(int)[0]
            assert image.getpixel((50, 1)) == (0, 230, 64)
            assert "light is near" in image.text["colours"]
        assert bool(light[0] < light[-1]) is space.is_disparity


def test_points_project_back_to_the_centres_of_their_pixels(tmp_path):
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 9, (5, 7)).astype(np.float32)
    depth[0, 0], depth[1, 1], depth[2, 2] = np.nan, 0, -1
    image = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    camera = np.array([[6, 0.5, 3.2], [0, 5, 2.4], [0, 0, 1]], np.float32)
    said = write_ply(tmp_path / "x.ply", depth, image, camera, is_metric=True)

    header, _, body = (tmp_path / "x.ply").read_bytes().partition(b"end_header\n")
    kinds = [(word.split()[-1].decode(), {"float": "<f4", "uchar": "u1"}[word.split()[1].decode()])
             for word in header.split(b"\n") if word.startswith(b"property")]  # fmt: skip
    points = np.frombuffer(body, kinds)
    assert said["points"] == len(points) == 32
    assert b"lengths in metres" in header
    pixels = np.stack([points["x"], points["y"], points["z"]]).astype(float)
    pixels = camera.astype(float) @ (pixels / pixels[2])
    known = np.isfinite(depth) & (depth > 0)
    rows, columns = np.nonzero(known)
    np.testing.assert_allclose(pixels[:2], np.stack([columns + 0.5, rows + 0.5]), atol=1e-4)
    np.testing.assert_array_equal(points["z"], depth[known])
    np.testing.assert_array_equal(np.stack([points[c] for c in ("red", "green", "blue")], 1), image[known])
