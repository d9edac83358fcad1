import numpy as np
import pytest
import torch

from src.alignment.functional.disparity import Floor, from_depth, parse_floor, to_depth
from src.core.errors import ConfigError


def row(*values):
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)


RULES = [
    (0.1, [10, 10, 10, 2]),
    (Floor.FARTHEST, [50, 50, 50, 2]),
    (Floor.DEEPEST_TARGET, [8, 8, 8, 2]),
    (Floor.NEAR, [0, 0, 100, 2]),
    (Floor.FAIL, [np.nan, np.nan, 100, 2]),
    (Floor.KEEP, [-1, np.inf, 100, 2]),
]


@pytest.mark.parametrize(("floor", "expected"), RULES)
def test_every_rule_by_hand(floor, expected):
    target, valid = row(1, 8, 20, 2), row(1, 1, 0, 1).bool()
    depth = to_depth(row(-1, 0, 0.01, 0.5), floor, target=target, valid=valid, farthest=50.0)
    np.testing.assert_allclose(depth.flatten(), expected, rtol=1e-15)


@pytest.mark.parametrize("floor", [rule[0] for rule in RULES])
def test_nan_stays_nan(floor):
    depth = to_depth(row(torch.nan, 0.5), floor, target=row(1, 2), valid=row(1, 1).bool(), farthest=50.0)
    assert depth.flatten().isnan().tolist() == [True, False]


def test_depth_without_a_disparity_is_nan_and_the_input_untouched():
    depth = torch.tensor([4.0, 0.0, -2.0, torch.nan]).reshape(1, 1, 1, 4)
    found = from_depth(depth)
    assert found.flatten()[0] == 0.25
    assert found.flatten()[1:].isnan().all()
    assert depth.flatten()[:3].tolist() == [4, 0, -2]


@pytest.mark.parametrize("floor", ["beyond", 0.0, -1.0])
def test_an_unknown_floor_lists_the_rules(floor):
    message = "expected a number > 0 in 1/m or one of farthest, deepest_target, near, fail, keep"
    with pytest.raises(ConfigError, match=message):
        parse_floor(floor)
