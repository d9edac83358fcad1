import numpy as np
import pytest
import torch

from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from src.model.families.baseline import Center, Constant, Ramp

BASELINES = [Constant, Ramp, Center]


def image(height, width, count=1):
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)


def test_constant_is_the_same_everywhere():
    assert Constant(resolution="default").infer(image(3, 4), ("a",)).unique().tolist() == [1]


def test_ramp_is_nearer_towards_the_bottom():
    disparity = Ramp(resolution="default").infer(image(4, 3), ("a",))[0, 0]
    expected = np.repeat([[1 / 8], [3 / 8], [5 / 8], [7 / 8]], 3, axis=1)
    np.testing.assert_allclose(disparity, expected, rtol=1e-6)


def test_center_is_nearer_towards_the_centre():
    disparity = Center(resolution="default").infer(image(3, 5), ("a",))[0, 0]
    rows, columns = np.mgrid[:3, :5]
    distance = np.sqrt((rows - 1) ** 2 + (columns - 2) ** 2)
    np.testing.assert_allclose(disparity, 1 - distance / np.sqrt(1.5**2 + 2.5**2), atol=1e-6)
    assert disparity[1, 2] == disparity.max() == 1


@pytest.mark.parametrize("baseline", BASELINES)
def test_baselines_know_neither_image_nor_weights_nor_resolution(baseline):
    first, second = baseline(resolution="default"), baseline(resolution=100)
    for model in (first, second):
        model.configure_model()
        assert model.space is OutputSpace.AFFINE_DISPARITY
        assert model.input_size((48, 64)) == (48, 64)
        assert model.provenance.weights == "none"
        assert model.provenance.parameters == 0
    one, other = first.infer(image(6, 8, 2), ("a", "b")), second.infer(image(6, 8, 2), ("c", "d"))
    assert one.shape == (2, 1, 6, 8)
    assert one.dtype == torch.float32
    assert torch.equal(one, other)
    assert torch.equal(one[0], one[1])


@pytest.mark.parametrize("resolution", ["native ", 0, -3])
def test_a_resolution_that_is_none_is_refused(resolution):
    with pytest.raises(ConfigError, match="expected default, native or a number of pixels"):
        Ramp(resolution=resolution)
