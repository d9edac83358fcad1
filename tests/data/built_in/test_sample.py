import numpy as np
import pytest
import torch

from src.data.built_in.sample import FOLDER, BuiltInSample


@pytest.fixture(scope="module")
def sample():
    return BuiltInSample(depth_range=(0.1, 10.0))[0]


def test_one_image_of_the_published_size(sample):
    assert BuiltInSample(depth_range=(0.1, 10.0)).sample_ids == ("motorcycle",)
    assert sample.image.shape == (1, 3, 500, 741)
    assert sample.slice == ("indoor",)


def test_depth_is_focal_length_times_baseline_over_disparity_plus_offset(sample):
    disparity = np.load(FOLDER / "motorcycle_disparity.npz")["arr_0"].astype(np.float64)
    known = np.isfinite(disparity)
    np.testing.assert_array_equal(sample.valid[0, 0].numpy(), known)
    np.testing.assert_allclose(
        sample.depth[0, 0].numpy()[known], 994.978 * 0.193001 / (disparity[known] + 31.086), rtol=1e-7
    )


def test_figures_of_the_data_sheet(sample):
    depth = sample.depth[sample.valid]
    assert len(depth) == 343_274
    assert round(100 * len(depth) / sample.valid.numel(), 2) == 92.65
    assert round(depth.min().item(), 2) == 2.11
    assert round(depth.max().item(), 2) == 5.02


def test_the_red_tank_is_in_front_of_the_shelf(sample):
    red, green, blue = sample.image[0, :, 210, 400].int().tolist()
    assert red > 2 * max(green, blue)
    assert sample.depth[0, 0, 210, 400] < sample.depth[0, 0, 60, 600] - 1


def test_the_garage_floor_is_a_plane_below_the_camera(sample):
    # pixels of bare concrete; a wrong focal length or principal point would bend or tilt the floor
    rows, columns = torch.meshgrid(torch.arange(440, 495), torch.arange(20, 300), indexing="ij")
    rows, columns = rows.reshape(-1), columns.reshape(-1)
    known = sample.valid[0, 0, rows, columns]
    pixels = torch.stack([columns + 0.5, rows + 0.5, torch.ones(len(rows))])[:, known].double()
    points = torch.linalg.solve(sample.intrinsics[0].double(), pixels) * sample.depth[0, 0, rows, columns][known]
    centred = points - points.mean(1, keepdim=True)
    normal = torch.linalg.svd(centred.T, full_matrices=False).Vh[-1]
    assert (normal @ centred).abs().mean() < 0.01
    assert normal[1].abs() > 0.95
