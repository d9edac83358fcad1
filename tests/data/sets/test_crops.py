import numpy as np
import pytest

from src.core.errors import ConfigError
from src.data.sets.crops import Crop, cut, inside, kb_box, shift

# heights and widths of the raw recordings and the margins (top, left) published for them
KB_MARGINS = {(375, 1242): (23, 13), (370, 1226): (18, 5), (374, 1238): (22, 11), (376, 1241): (24, 12)}


@pytest.mark.parametrize(("size", "margins"), [*KB_MARGINS.items(), ((370, 1224), (18, 4))])
def test_kb_margins_of_every_recording_size(size, margins):
    top, left = margins
    assert kb_box(size) == (top, size[0], left, left + 1216)
    assert size[0] - top == 352


@pytest.mark.parametrize(
    ("crop", "size", "box"),
    [
        ("garg", (375, 1242), (153, 371, 44, 1197)),
        ("garg", (352, 1216), (143, 349, 43, 1172)),
        ("eigen", (375, 1242), (124, 342, 44, 1197)),
        ("eigen", (352, 1216), (117, 321, 43, 1172)),
    ],
)
def test_published_boxes_to_the_pixel(crop, size, box):
    assert Crop(crop).box(size) == box


def test_a_box_is_half_open():
    mask = inside((1, 3, 2, 5), (4, 6))
    np.testing.assert_array_equal(np.argwhere(mask)[[0, -1]], [[1, 2], [2, 4]])
    assert mask.sum() == 6
    assert inside((45, 471, 41, 601), (480, 640)).sum() == 426 * 560


def test_a_cut_moves_the_principal_point_with_it():
    intrinsics = np.array([[700, 0, 600.5], [0, 710, 180.5], [0, 0, 1]], np.float32)
    image = np.arange(4 * 6 * 3).reshape(4, 6, 3)
    np.testing.assert_array_equal(cut(image, (1, 3, 2, 5)), image[1:3, 2:5])
    np.testing.assert_array_equal(shift(intrinsics, (1, 3, 2, 5)), [[700, 0, 598.5], [0, 710, 179.5], [0, 0, 1]])
    assert intrinsics[0, 2] == 600.5


def test_an_unknown_crop_names_the_known_ones():
    with pytest.raises(ConfigError, match="crop: expected one of garg, eigen or null, got 'kb'"):
        Crop("kb")
