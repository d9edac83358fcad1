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


@given(
    st.tuples(sides, sides),
    st.sampled_from([(384, 384), (384, 512), (518, 518), (224, 224)]),
    st.sampled_from([14, 32]),
)
def test_sizes_are_those_of_the_rule_as_numpy_computes_it(size, target, multiple):
    image, goal = np.array(size, float), np.array(target, float)
    scales = goal / image
    nearest = scales[1] if abs(1 - scales[1]) < abs(1 - scales[0]) else scales[0]
    for bound, scale in {"lower": scales.max(), "upper": scales.min(), "minimal": nearest, "stretch": scales}.items():
        exact = scale * image / multiple
        steps = np.round(exact)
        if bound == "lower":
            steps = np.where(steps * multiple < goal, np.ceil(exact), steps)
        elif bound == "upper":
            steps = np.where(steps * multiple > goal, np.floor(exact), steps)
        expected = np.maximum(steps, 1) * multiple  # the original makes 0 of a very flat image
        assert bounded_size(size, target, bound=bound, multiple=multiple) == tuple(expected.astype(int))


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


DIGITS = [[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8], [9, 7, 9, 3, 2, 3], [8, 4, 6, 2, 6, 4], [3, 3, 8, 3, 2, 7]]
"""Of pi. Expected below: rows @ DIGITS @ columns.T, where row i of either matrix of n to m pixels holds the kernel at
the distances of the source's pixels (repeated at the border) from c = (i + 0.5) n / m - 0.5, or i (n - 1) / (m - 1)
with aligned corners; the kernel is 1 - |t|, or Keys' cubic with a = -0.75 as in OpenCV."""


@pytest.mark.parametrize(
    ("way", "size", "expected"),
    [
        pytest.param(
            {"mode": "bicubic"},
            (3, 4),
            [[2.2913, 4.0035, 2.0378, 8.2272], [8.4766, 9.1094, 2.1055, 2.7383], [4.0655, 6.7191, 2.2478, 5.5453]],
            id="MiDaS and Depth Anything, smaller",
        ),
        pytest.param(
            {"mode": "bicubic"},
            (6, 9),
            [
                [3.2535, 1.594, 1.0501, 3.7116, 2.3373, 1.1488, 4.0061, 7.4111, 9.4043],
                [1.2041, 3.1635, 5.0183, 4.6239, 3.1511, 2.728, 4.5892, 7.2948, 9.0523],
                [6.0885, 6.6937, 7.5351, 8.1112, 5.6017, 2.7644, 2.6041, 3.7788, 5.0289],
                [10.0435, 7.6441, 6.033, 8.1691, 5.3792, 2.2106, 3.4416, 3.2315, 2.5633],
                [7.0486, 4.8582, 3.6245, 6.0433, 4.0619, 2.2724, 5.0221, 5.4686, 4.7217],
                [2.7192, 2.3589, 3.7936, 7.8071, 6.1807, 2.3395, 1.4175, 4.3554, 7.6235],
            ],
            id="MiDaS and Depth Anything, larger",
        ),
        pytest.param(
            {"mode": "bilinear", "align_corners": True},
            (3, 4),
            [[3, 3, 7 / 3, 9], [9, 25 / 3, 8 / 3, 3], [3, 19 / 3, 8 / 3, 7]],
            id="ZoeDepth, smaller",
        ),
        pytest.param(
            {"mode": "bilinear", "align_corners": True},
            (6, 9),
            [
                [3, 1.75, 1.75, 3.625, 2.5, 1.5, 4, 6.5, 9],
                [2.2, 3.95, 4.95, 4.825, 3.7, 2.9, 4.4, 6.2, 8.2],
                [6.2, 6.45, 6.8, 7.3, 5.2, 3.025, 3.15, 3.875, 5],
                [8.6, 6.85, 6.3, 7.55, 5.2, 2.725, 3.35, 3.525, 3.4],
                [7, 5, 4.45, 6.075, 4.3, 2.575, 4.45, 4.975, 4.6],
                [3, 3, 4.25, 7.375, 5.5, 2.875, 2.25, 3.875, 7],
            ],
            id="ZoeDepth and the predictions of Depth Anything V2, larger",
        ),
        pytest.param(
            {"mode": "bilinear"},
            (3, 4),
            [[8 / 3, 47 / 12, 2.5, 7.75], [8.5, 8.5, 2.75, 2.75], [13 / 3, 19 / 3, 17 / 6, 16 / 3]],
            id="Depth Pro, smaller",
        ),
    ],
)
def test_resampling_is_that_of_the_original_on_literal_numbers(way, size, expected):
    values = torch.tensor(DIGITS, dtype=torch.float32)[None, None]
    np.testing.assert_allclose(resize(values, size, **way)[0, 0].numpy(), expected, atol=1e-4)
