import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.core.resize import IMAGENET_MEAN, IMAGENET_STD, bounded_size, normalise, resize, to_unit_range


# network sizes as the original transforms compute them: MiDaS, Depth Anything V2 and ZoeDepth on usual image sizes
@pytest.mark.parametrize(
    ("size", "target", "bound", "multiple", "expected"),
    [
        ((480, 640), (384, 384), "upper", 32, (288, 384)),
        ((375, 1242), (384, 384), "upper", 32, (128, 384)),
        ((352, 1216), (384, 384), "upper", 32, (96, 384)),
        ((480, 640), (384, 384), "minimal", 32, (384, 512)),
        ((375, 1242), (384, 384), "minimal", 32, (384, 1280)),
        ((768, 1024), (384, 384), "minimal", 32, (384, 512)),
        ((1024, 2048), (384, 384), "minimal", 32, (384, 768)),
        ((480, 640), (512, 512), "minimal", 32, (512, 672)),
        ((240, 320), (518, 518), "lower", 14, (518, 686)),
        ((228, 304), (518, 518), "lower", 14, (518, 686)),
        ((480, 640), (518, 518), "lower", 14, (518, 686)),
        ((375, 1242), (518, 518), "lower", 14, (518, 1722)),
        ((480, 640), (384, 512), "stretch", 32, (384, 512)),
        ((375, 1242), (384, 768), "stretch", 32, (384, 768)),
        ((375, 1242), (375, 1242), "stretch", 32, (384, 1248)),
        ((3, 1000), (384, 384), "upper", 32, (32, 384)),
    ],
)
def test_sizes_are_those_of_the_original_transforms(size, target, bound, multiple, expected):
    assert bounded_size(size, target, bound=bound, multiple=multiple) == expected


def test_half_a_multiple_is_rounded_to_even():
    # 80 / 32 = 2.5 and 112 / 32 = 3.5, as numpy's round in the original
    assert bounded_size((80, 112), (80, 112), bound="stretch", multiple=32) == (64, 128)


sides = st.integers(8, 3000)


@given(st.tuples(sides, sides), st.sampled_from([224, 384, 518]), st.sampled_from([14, 32]))
def test_bounds_hold_for_any_size(size, side, multiple):
    for bound in ("lower", "upper", "minimal"):
        height, width = bounded_size(size, (side, side), bound=bound, multiple=multiple)
        assert height % multiple == width % multiple == 0
        if bound == "lower":
            assert min(height, width) >= side
        elif bound == "upper":
            assert height <= max(side, multiple)
            assert width <= max(side, multiple)
        turned = bounded_size(size[::-1], (side, side), bound=bound, multiple=multiple)
        assert turned == (width, height)


def test_bytes_become_floats_from_0_to_1():
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert to_unit_range(image).dtype == torch.float32
    torch.testing.assert_close(to_unit_range(image).flatten(), torch.tensor([0, 0.2, 1]))


def test_normalising_is_per_channel():
    pixels = torch.tensor([0.485, 0.68, 0.181]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(
        normalise(pixels, IMAGENET_MEAN, IMAGENET_STD).flatten(), torch.tensor([0, 1, -1.0]), atol=1e-6, rtol=1e-6
    )


def test_the_same_size_is_left_alone():
    values = torch.rand(1, 1, 3, 4)
    assert resize(values, (3, 4), mode="bicubic") is values


# cv2.resize(np.array([[0, 1, 4, 9, 16]], np.float32), (3, 1), interpolation=cv2.INTER_CUBIC) by its formula: taps at
# (i + 0.5) 5 / 3 - 0.5 = 1/3, 2, 11/3 with a = -0.75, border repeated
def test_bicubic_is_opencvs():
    values = torch.tensor([0, 1, 4, 9, 16.0]).reshape(1, 1, 1, 5)
    a, x = -0.75, 1 / 3

    def near(t):
        return (a + 2) * t**3 - (a + 3) * t**2 + 1

    def far(t):
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a

    first = 0 * far(1 + x) + 0 * near(x) + 1 * near(1 - x) + 4 * far(2 - x)
    last = 4 * far(2 - x) + 9 * near(1 - x) + 16 * near(x) + 16 * far(1 + x)
    result = resize(values, (1, 3), mode="bicubic").flatten()
    np.testing.assert_allclose(result.numpy(), [first, 4, last], atol=1e-5)
    assert result[0] < 0.5  # no antialiasing: four taps, however much it shrinks


def test_aligned_corners_keep_the_corners():
    values = torch.tensor([[0, 3.0], [6, 9]]).reshape(1, 1, 2, 2)
    expected = [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]
    result = resize(values, (4, 4), mode="bilinear", align_corners=True)
    np.testing.assert_allclose(result[0, 0].numpy(), expected, atol=1e-5)
    centred = resize(values, (4, 4), mode="bilinear")
    np.testing.assert_allclose(centred[0, 0, 0].numpy(), [0, 0.75, 2.25, 3], atol=1e-5)
