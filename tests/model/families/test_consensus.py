import itertools

import numpy as np
import pytest
import torch
from diffusers import MarigoldDepthPipeline

from src.model.families.consensus import consensus


def members(count, *, noise=0.05, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scene = torch.rand(1, 1, 12, 16, generator=generator)
    scale = 0.3 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
    shift = 0.2 * torch.rand(count, 1, 1, 1, generator=generator)
    return scale * scene + shift + noise * torch.rand(count, 1, 12, 16, generator=generator)


def unit_range(values):
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("count", [2, 3, 10])
def test_members_that_agree_up_to_scale_and_shift_are_recovered(count):
    depth = members(count, noise=0)
    result = consensus(depth)
    torch.testing.assert_close(result, unit_range(depth[:1]), rtol=0, atol=1e-5)
    assert result.dtype == torch.float32


def pair_cost(scaled):
    return sum(((a - b) ** 2).sum() for a, b in itertools.combinations(scaled, 2))


def test_the_scales_are_the_best_ones():
    # independently: power iteration on the fixed point of the constrained least squares
    depth = members(4, noise=0.3)
    centred = depth.flatten(1).double().numpy()
    centred = centred - centred.mean(1, keepdims=True)
    scale = 1 / np.linalg.norm(centred, axis=1)
    for _ in range(2000):
        target = (scale[:, None] * centred).sum(0)
        scale = centred @ target / (centred**2).sum(1)
        scale /= np.sqrt((scale**2 * (centred**2).sum(1)).sum())
    expected = unit_range(np.sort(scale[:, None] * centred, axis=0)[1])  # the lower of the two in the middle
    np.testing.assert_allclose(consensus(depth).flatten().numpy(), expected, atol=1e-6)
    best = pair_cost(scale[:, None] * centred)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = scale * (1 + 0.05 * rng.standard_normal(4))
        other /= np.sqrt((other**2 * (centred**2).sum(1)).sum())
        assert pair_cost(other[:, None] * centred) > best


def test_rounding_of_the_members_stays_rounding_unlike_upstream():
    depth = members(5, noise=0.2)
    rounded = depth + 1e-7 * torch.randn(depth.shape, generator=torch.Generator().manual_seed(1))
    ours = (consensus(depth) - consensus(rounded)).abs().max()
    upstream = [MarigoldDepthPipeline.ensemble_depth(one)[0] for one in (depth, rounded)]
    assert ours < 1e-5
    assert (upstream[0] - upstream[1]).abs().max() > 100 * ours


def test_neither_order_nor_scale_nor_shift_of_the_members_matters():
    depth = members(5)
    torch.testing.assert_close(consensus(depth.flip(0)), consensus(depth))
    factor = torch.tensor([1, 20, 0.1, 3, 1]).reshape(5, 1, 1, 1)
    torch.testing.assert_close(consensus(depth * factor + factor), consensus(depth), rtol=0, atol=1e-4)


def test_near_stays_near():
    depth = members(3)
    result = consensus(depth)
    assert np.corrcoef(result.flatten(), depth[0].flatten())[0, 1] > 0.9
    assert (result.min(), result.max()) == (0, 1)


def test_a_constant_member_has_no_say_in_the_scales_of_the_others():
    depth = members(5, noise=0)
    depth[2] = 0.5
    torch.testing.assert_close(consensus(depth), unit_range(depth[:1]), rtol=0, atol=1e-5)


def test_constant_members_stay_finite():
    assert torch.equal(consensus(torch.full((3, 1, 4, 4), 0.5)), torch.zeros(1, 1, 4, 4))
