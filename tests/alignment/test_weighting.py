import numpy as np
import pytest
import torch

from src.alignment.weighting import Weighting
from src.core.errors import ConfigError


def test_weights_are_powers_of_true_depth():
    depth = torch.tensor([2.0, 4.0]).reshape(1, 1, 1, 2)
    assert Weighting.UNIFORM.weights(depth) is None
    assert Weighting.INVERSE_DEPTH.weights(depth).flatten().tolist() == [0.5, 0.25]
    np.testing.assert_allclose(Weighting.INVERSE_SQUARE_DEPTH.weights(depth).flatten(), [0.25, 0.0625])


def test_an_unknown_weighting_lists_those_that_exist():
    with pytest.raises(ConfigError, match="expected one of uniform, inverse_depth, inverse_square_depth, got 'cubic'"):
        Weighting("cubic")
