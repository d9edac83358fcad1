"""Against a published worked example, scipy, and simulations."""

import numpy as np
import pytest
import scipy.stats

from src.records import ranking, statistics
from src.records.statistics import Means, Units
from tests.records.demsar import DEMSAR


def means_of(values: np.ndarray) -> Means:
    units = Units(codes=np.arange(len(values)), count=len(values), kind="images")
    return statistics.linearised(*statistics.unit_sums(values, np.ones_like(values), units))


def test_friedman_and_nemenyi_of_a_worked_example():
    """Demšar 2006, section 3.2.2: average ranks, chi-square 9.28 (not corrected for ties), critical difference 1.25."""
    found = ranking.friedman(DEMSAR, higher_is_better=True)
    np.testing.assert_allclose(found.average_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    reference = scipy.stats.friedmanchisquare(*DEMSAR.T)
    assert found.statistic == pytest.approx(reference.statistic)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.blocks == 14
    untied = 12 * 14 / 20 * ((found.average_ranks - 2.5) ** 2).sum()
    assert untied == pytest.approx(9.28, abs=0.005)


def test_the_same_everywhere_is_no_difference():
    found = ranking.friedman(np.ones((6, 3)), higher_is_better=False)
    assert (found.statistic, found.p) == (0, 1)


def test_bars_of_the_diagram_are_the_largest_runs():
    average = np.array([1.0, 1.5, 2.4, 2.6, 5.0])
    assert ranking.indistinct(average, 1.0) == [(0, 1), (1, 2), (2, 3)]
    assert ranking.indistinct(average, 1.1) == [(0, 1), (1, 2, 3)]
    assert ranking.indistinct(average, 0.05) == []
    assert ranking.indistinct(average[::-1], 9.0) == [(4, 3, 2, 1, 0)]


def test_a_high_score_ranks_first_where_high_is_good():
    assert ranking.ranks(np.array([[0.1, 0.9], [0.4, 0.4]]), higher_is_better=True).tolist() == [[2, 1], [1.5, 1.5]]


def test_ranks_of_models_far_apart_are_certain_and_of_near_ones_not():
    generator = np.random.default_rng(8)
    near = generator.normal(size=(100, 1))
    columns = [means_of(np.concatenate([near, near[::-1], near + 5], axis=1)) for _ in range(4)]
    found = ranking.rank_bounds(columns, higher_is_better=False)
    assert (found.average[2], found.low[2], found.high[2]) == (3, 3, 3)
    np.testing.assert_array_equal(found.low[:2], [1, 1])
    np.testing.assert_array_equal(found.high[:2], [2, 2])


@pytest.mark.parametrize(("sets", "gaps"), [(1, (0, 0)), (3, (0, 0, 0.1)), (5, (0, 0.02, 0.5)), (5, (0, 0.001, 0.002))])
def test_bounds_hold_the_true_average_rank(sets, gaps):
    """True means are `gaps`, ties included, on every data set; images are drawn anew within each."""
    generator = np.random.default_rng(sets)
    true = scipy.stats.rankdata(gaps)
    inside = np.zeros(len(gaps))
    for _ in range(500):
        shared = generator.normal(size=(sets, 12, 1))
        own = generator.normal(size=(sets, 12, len(gaps)))
        found = ranking.rank_bounds([means_of(one) for one in shared + 0.3 * own + gaps], higher_is_better=False)
        inside += (found.low <= true) & (true <= found.high)
    assert (inside / 500 >= 0.92).all()


def test_a_sign_test_says_nothing_before_six_sets():
    assert [ranking.sign_test(n, 0) < 0.05 for n in range(1, 8)] == [False] * 5 + [True] * 2
    assert ranking.sign_test(0, 0) == 1
