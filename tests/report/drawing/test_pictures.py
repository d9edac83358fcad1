import base64
import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from src.report.drawing import pictures
from src.report.drawing.pictures import colour_bar, colour_depth, colour_error, data_uri, depth_limits

NEAREST, FARTHEST = (
    tuple(int(v) for v in colormaps[pictures.DEPTH_COLOURS](end, bytes=True)[:3]) for end in (0.0, 1.0)
)


def row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_limits_ignore_invalid_pixels_and_the_outermost_fiftieths() -> None:
    depth = np.linspace(1, 5, 401, dtype=np.float32)[None]
    valid = np.ones((1, 401), dtype=bool)
    depth[0, 0], valid[0, 0] = 1000.0, False
    nearest, farthest = depth_limits(depth, valid) or (0, 0)
    assert nearest == pytest.approx(1 + 0.02 * 4, abs=0.02)
    assert farthest == pytest.approx(5 - 0.02 * 4, abs=0.02)


def test_a_constant_depth_still_has_a_range_around_it() -> None:
    nearest, farthest = depth_limits(row(2, 2, 2), np.ones((1, 3), dtype=bool)) or (0, 0)
    assert nearest < 2 < farthest


def test_without_a_valid_pixel_there_are_no_limits() -> None:
    assert depth_limits(row(1, 2), np.zeros((1, 2), dtype=bool)) is None


def test_depth_runs_from_the_near_to_the_far_colour_and_stays_there() -> None:
    drawn = colour_depth(row(0.5, 1, 3, 99), np.ones((1, 4), dtype=bool), (1.0, 3.0))[0]
    assert tuple(drawn[0]) == tuple(drawn[1]) == NEAREST
    assert tuple(drawn[2]) == tuple(drawn[3]) == FARTHEST
    # near is bright
    assert drawn[0].sum() > drawn[3].sum()


def test_unknown_is_grey_and_not_finite_is_green() -> None:
    drawn = colour_depth(row(2, np.nan, np.inf, np.nan), np.array([[True, True, True, False]]), (1.0, 3.0))[0]
    assert tuple(drawn[1]) == tuple(drawn[2]) == pictures.BROKEN
    assert tuple(drawn[3]) == pictures.INVALID
    assert pictures.INVALID not in (tuple(drawn[0]), tuple(drawn[1]))


def test_error_is_signed_relative_and_symmetric() -> None:
    truth = row(4, 4, 4, 4, 4)
    drawn = colour_error(row(4, 5, 3, 8, 0.1), truth, np.ones((1, 5), dtype=bool))[0].astype(int)
    middle, too_far, too_near = drawn[0], drawn[1], drawn[2]
    assert np.ptp(middle) <= 3  # no hue
    assert middle.min() > 235
    assert too_far[0] > too_far[2]  # red
    assert too_near[2] > too_near[0]  # blue
    # a quarter off is the strongest colour already
    assert (drawn[3] == too_far).all()
    assert (drawn[4] == too_near).all()


def test_error_is_relative_to_the_true_depth() -> None:
    drawn = colour_error(row(1.1, 11, 110), row(1, 10, 100), np.ones((1, 3), dtype=bool))[0]
    assert (drawn == drawn[0]).all()


def test_error_is_grey_where_invalid_and_green_where_broken() -> None:
    drawn = colour_error(row(1, np.nan, np.nan), row(0, 0, 2), np.array([[False, False, True]]))[0]
    assert [tuple(pixel) for pixel in drawn] == [pictures.INVALID, pictures.INVALID, pictures.BROKEN]


def test_the_bar_holds_the_colours_that_pictures_use() -> None:
    bar = colour_bar(pictures.DEPTH_COLOURS)[0]
    assert (tuple(bar[0]), tuple(bar[-1])) == (NEAREST, FARTHEST)
    assert {pictures.INVALID, pictures.BROKEN}.isdisjoint({tuple(pixel) for pixel in bar.tolist()})


def test_a_lossless_uri_holds_the_very_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    kind, _, content = data_uri(pixels, lossless=True).partition(",")
    assert kind == "data:image/webp;base64"
    decoded = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    assert (np.asarray(decoded) == pixels).all()
