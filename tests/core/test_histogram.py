"""Histograms by leading bits, against numpy's comparisons."""

import itertools

import numpy as np
import pytest
import torch

from src.core.histogram import by_leading_bits

EDGES = (0.0, 0.5, 1.25, 2.0, 5.0, 20.0, 80.0, 1e6)


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_sums_are_those_of_comparisons(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.uniform(0, 100, 5000) ** rng.uniform(0.1, 2), rng.normal(size=5000)
    found = by_leading_bits(torch.from_numpy(values), torch.from_numpy(weights), EDGES).numpy()
    bins = [(values >= low) & (values < high) for low, high in itertools.pairwise(EDGES)]
    np.testing.assert_array_equal(found[0], [inside.sum() for inside in bins])
    np.testing.assert_allclose(found[1], [weights[inside].sum() for inside in bins], rtol=1e-12, atol=1e-12)


def test_a_value_on_an_edge_begins_its_bin_and_one_just_below_ends_the_bin_before():
    edges = np.array(EDGES[1:-1])
    values = torch.from_numpy(np.concatenate([edges, np.nextafter(edges, 0)]))
    counts = by_leading_bits(values, torch.ones_like(values), EDGES)[0]
    assert counts.tolist() == [1.0, *[2.0] * (len(edges) - 1), 1.0]
