import numpy as np
import pytest
import torch

from src.alignment.selection import FewerColumns, NearestGrid, Positive, QuantileBand, Successive
from tests.reference import alignment as reference


def batch(*arrays):
    return [torch.from_numpy(np.asarray(array))[:, None] for array in arrays]


def test_positive_keeps_nan(scene):
    values = torch.tensor([1.0, 0.0, -1.0, torch.nan]).reshape(1, 1, 1, 4)
    valid = torch.ones_like(values, dtype=torch.bool)
    kept = Positive().select(values, torch.ones_like(values), valid)[2]
    assert kept.flatten().tolist() == [True, False, False, True]


def test_quantile_band_is_strict_and_equals_the_reference(scene):
    prediction, target, valid = scene
    kept = QuantileBand(lower=0.05, upper=0.95).select(*batch(prediction, target, valid))[2]
    for i in range(2):
        expected = reference.percentile_band(prediction[i], valid[i], 5, 95)
        assert np.array_equal(kept[i, 0], expected)
        assert 0 < expected.sum() < valid[i].sum()
    # nothing is strictly between equal quantiles
    assert not kept[2].any()


def test_quantile_band_keeps_a_nan_so_that_the_fit_fails():
    values = torch.tensor([1.0, 2.0, 3.0, torch.nan]).reshape(1, 1, 1, 4)
    valid = torch.ones_like(values, dtype=torch.bool)
    assert QuantileBand(lower=0.05, upper=0.95).select(values, values, valid)[2].flatten()[3]


def test_fewer_columns_of_eth3d_keeps_all_rows():
    columns = torch.arange(6048.0).expand(1, 1, 3, 6048)
    values, _, valid = FewerColumns(longer_side=1024).select(columns, columns, columns >= 0)
    assert values.shape == valid.shape == (1, 1, 3, 1024)
    expected = torch.nn.Upsample(scale_factor=1024 / 6048, mode="nearest")(columns[0])
    assert torch.equal(values[0], expected)


@pytest.mark.parametrize(
    ("size", "longer_side"), [((90, 40), 60), ((375, 1242), 1024), ((2048, 1365), 1024), ((7, 5), 6)]
)
def test_fewer_columns_are_those_that_the_original_takes(size, longer_side):
    columns = torch.arange(float(size[1])).expand(1, 1, *size)
    values, _, _ = FewerColumns(longer_side=longer_side).select(columns, columns, columns >= 0)
    factor = longer_side / max(size)
    expected = [int(j / factor) for j in range(int(size[1] * factor))]
    assert values[0, 0, 0].tolist() == expected
    assert torch.equal(values[0], torch.nn.Upsample(scale_factor=factor, mode="nearest")(columns[0]))


def test_small_images_keep_their_columns(scene):
    maps = batch(*scene)
    for before, after in zip(maps, FewerColumns(longer_side=1024).select(*maps), strict=True):
        assert before is after


@pytest.mark.parametrize("size", [(24, 32), (30, 21), (17, 8), (5, 40)])
@pytest.mark.parametrize("density", [0.9, 0.1])
def test_nearest_grid_equals_the_reference(size, density, rng):
    valid = rng.random((2, *size)) < density
    index = np.arange(valid.size, dtype=np.float64).reshape(valid.shape)
    picked, depth, kept = NearestGrid(cells=8).select(*batch(index, -index, valid))
    for i in range(2):
        expected = reference.nearest_grid(valid[i], 8)
        assert kept[i].flatten().tolist() == [cell is not None for cell in expected]
        wanted = [index[i][cell] for cell in expected if cell is not None]
        assert picked[i][kept[i]].tolist() == wanted
        assert depth[i][kept[i]].tolist() == [-value for value in wanted]


def test_successive_selections_narrow_one_another():
    values = torch.arange(-2.0, 6.0).reshape(1, 1, 1, 8)
    both = Successive(first=FewerColumns(longer_side=4), then=Positive())
    picked, _, valid = both.select(values, values, torch.ones_like(values, dtype=torch.bool))
    assert picked.flatten().tolist() == [-2, 0, 2, 4]
    assert valid.flatten().tolist() == [False, False, True, True]
    assert both.needs_grid
    assert not Successive(first=Positive(), then=Positive()).needs_grid
