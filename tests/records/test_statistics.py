"""Against published worked examples, scipy where it does the same thing, simulations and formulas written out here."""

import itertools

import numpy as np
import pytest
import scipy.stats

from src.records import statistics
from src.records.statistics import Means, Units, units_of
from tests.records.demsar import DEMSAR

SETS = 4000
"""Record sets drawn for a coverage, which is then known to 0.3 % (one standard error)."""


def images(n: int) -> Units:
    return Units(codes=np.arange(n), count=n, kind="images")


def groups(n: int, size: int) -> Units:
    return Units(codes=np.repeat(np.arange(n), size), count=n, kind="clusters")


def columns(*values: np.ndarray) -> np.ndarray:
    return np.stack(values, axis=1)


def means_of(values: np.ndarray, units: Units | None = None) -> Means:
    """Of equal weights; one column each."""
    units = units or images(len(values))
    return statistics.linearised(*statistics.unit_sums(values, np.ones_like(values), units))


def held(values: np.ndarray, true: float, units: Units | None = None) -> float:
    """Share of the columns whose interval holds the true mean."""
    low, high = statistics.intervals(means_of(values, units), skewed=True)
    return float(((low <= true) & (true <= high)).mean())


def in_scenes(generator: np.random.Generator, scenes: int, each: int, sets: int = SETS) -> np.ndarray:
    """Standard normal values, half of whose variance is their scene's: intraclass correlation 0.5."""
    shared = generator.normal(size=(scenes, 1, sets))
    return (np.sqrt(0.5) * (shared + generator.normal(size=(scenes, each, sets)))).reshape(scenes * each, sets)


def test_clusters_are_drawn_wherever_they_are_known():
    assert units_of([str(i) for i in range(30)]).kind == "images", "no cluster has two images"
    assert units_of([""] * 30).kind == "images"
    assert units_of([]).count == 0
    found = units_of(["a"] * 5 + ["b"] * 5)
    assert (found.kind, found.count) == ("clusters", 2)
    found = units_of([f"drive {i % 10}" for i in range(30)])
    assert (found.kind, found.count) == ("clusters", 10)
    assert found.codes.tolist() == [i % 10 for i in range(30)]


def test_an_image_of_no_known_cluster_is_one_of_its_own():
    found = units_of(["a", "", "a", "", "b"])
    assert (found.kind, found.count) == ("clusters", 4)
    assert found.codes.tolist() == [0, 2, 0, 3, 1]


def test_unit_sums_leave_out_what_is_undefined():
    values = columns(np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    weights = columns(np.array([1.0, 3.0, 9.0, 1.0]), np.ones(4))
    sums, totals = statistics.unit_sums(values, weights, groups(2, 2))
    np.testing.assert_array_equal(sums, [[7, 2], [4, 2]])
    np.testing.assert_array_equal(totals, [[4, 2], [1, 2]])


@pytest.mark.parametrize("n", [10, 20, 50, 100, 654])
def test_intervals_over_images_hold_what_they_promise(n):
    generator = np.random.default_rng(n)
    assert 0.92 <= held(generator.normal(size=(n, SETS)), 0.0) <= 0.98
    assert held(generator.exponential(size=(n, SETS)), 1.0) >= 0.92


@pytest.mark.parametrize("scenes", [5, 8, 10, 13, 20, 50])
def test_intervals_over_scenes_hold_what_they_promise(scenes):
    """Intraclass correlation 0.5; by images the same intervals hold the true mean in two of three sets."""
    values = in_scenes(np.random.default_rng(scenes), scenes, 10)
    assert 0.92 <= held(values, 0.0, groups(scenes, 10)) <= 0.98
    assert held(values, 0.0) < 0.72
    assert held(np.exp(values), np.exp(0.5), groups(scenes, 10)) >= 0.90, "log-normal"


def test_intervals_hold_over_scenes_of_unequal_size():
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 40, 15)
    units = Units(codes=np.repeat(np.arange(15), sizes), count=15, kind="clusters")
    shared = np.repeat(generator.normal(size=(15, SETS)), sizes, axis=0)
    assert 0.90 <= held(shared + generator.normal(size=shared.shape), 0.0, units) <= 0.98


@pytest.mark.parametrize("scenes", [5, 8, 13, 50])
def test_equal_models_are_rarely_told_apart_over_scenes(scenes):
    generator = np.random.default_rng(scenes)
    one, two = (means_of(np.exp(in_scenes(generator, scenes, 6)), groups(scenes, 6)) for _ in range(2))
    assert (statistics.p_values(one.minus(two)) < 0.05).mean() <= 0.06


@pytest.mark.parametrize("n", [10, 30, 100, 654])
def test_p_values_hold_their_level(n):
    generator = np.random.default_rng(n)
    p = statistics.p_values(means_of(generator.normal(size=(n, SETS))))
    assert 0.04 <= (p < 0.05).mean() <= 0.07
    assert 0.47 < p.mean() < 0.53, "uniform"
    gaps = generator.exponential(size=(n, SETS)) - generator.exponential(size=(n, SETS))
    assert 0.03 <= (statistics.p_values(means_of(gaps)) < 0.05).mean() <= 0.07


def test_the_interval_is_student_s_where_nothing_is_skewed():
    values = columns(np.array([-3.0, -1, 0, 0, 1, 3]) + 7)
    expected = scipy.stats.t.interval(0.95, 5, loc=7, scale=scipy.stats.sem(values[:, 0]))
    np.testing.assert_allclose(statistics.intervals(means_of(values), skewed=False)[:, 0], expected)
    np.testing.assert_allclose(statistics.intervals(means_of(values), skewed=True)[:, 0], expected)
    p = statistics.p_values(means_of(values - 5))[0]
    assert p == pytest.approx(scipy.stats.ttest_1samp(values[:, 0], 5).pvalue)


def test_the_interval_is_that_of_a_bootstrap_of_t_values():
    values = np.random.default_rng(1).lognormal(sigma=0.7, size=60)
    generator = np.random.default_rng(2)
    drawn = values[generator.integers(0, 60, (40_000, 60))]
    ratio = (drawn.mean(axis=1) - values.mean()) / scipy.stats.sem(drawn, axis=1)
    error = scipy.stats.sem(values)
    expected = values.mean() - np.quantile(ratio, [0.975, 0.025]) * error
    np.testing.assert_allclose(
        statistics.intervals(means_of(values[:, None]), skewed=True)[:, 0], expected, atol=0.2 * error
    )


def test_an_interval_and_its_p_value_agree():
    values = np.random.default_rng(4).lognormal(size=(12, 500)) - 1.5
    means = means_of(values)
    low, high = statistics.intervals(means, skewed=False)
    np.testing.assert_array_equal(statistics.p_values(means) < 0.05, (low > 0) | (high < 0))


def test_no_spread_is_no_certainty():
    assert statistics.p_values(means_of(np.full((6, 1), 0.25)))[0] == 2.0**-5
    assert statistics.p_values(means_of(np.zeros((6, 1))))[0] == 1
    np.testing.assert_array_equal(
        statistics.intervals(means_of(np.full((6, 1), 0.25)), skewed=True)[:, 0], [0.25, 0.25]
    )


def test_copies_of_an_image_add_nothing():
    values = np.random.default_rng(3).lognormal(size=(40, 1))
    copied = np.repeat(values, 25, axis=0)
    clustered, ignoring = means_of(copied, groups(40, 25)), means_of(copied)
    np.testing.assert_allclose(*(statistics.intervals(one, skewed=True) for one in (clustered, means_of(values))))
    np.testing.assert_allclose(statistics.standard_errors(clustered), scipy.stats.sem(values))
    assert statistics.standard_errors(ignoring)[0] < statistics.standard_errors(clustered)[0] / 4


def test_standard_error_of_a_weighted_mean_over_clusters():
    generator = np.random.default_rng(4)
    values, weights = generator.normal(size=60), generator.uniform(1, 5, size=60)
    means = statistics.linearised(*statistics.unit_sums(values[:, None], weights[:, None], groups(12, 5)))
    (found,) = statistics.standard_errors(means)
    mean = (weights * values).sum() / weights.sum()
    residuals = [(weights[5 * g : 5 * g + 5] * (values[5 * g : 5 * g + 5] - mean)).sum() for g in range(12)]
    assert found == pytest.approx(np.sqrt(12 / 11 * sum(r**2 for r in residuals)) / weights.sum())


def test_one_unit_has_no_error_and_none_has_no_mean():
    one = means_of(np.ones((3, 1)), groups(1, 3))
    assert np.isnan(
        [statistics.standard_errors(one), statistics.p_values(one), *statistics.intervals(one, skewed=True)]
    ).all()
    empty = statistics.linearised(np.zeros((0, 2)), np.zeros((0, 2)))
    assert np.isnan([empty.values, *statistics.intervals(empty, skewed=True)]).all()
    assert np.isnan(statistics.drawn_means(empty, draws=5)).all()


def test_drawn_means_spread_and_stay_together_as_units_do():
    generator = np.random.default_rng(5)
    base = generator.normal(size=(200, 1))
    values = np.concatenate([base, base + 0.1, generator.normal(size=(200, 1))], axis=1)
    drawn = statistics.drawn_means(means_of(values), draws=20_000)
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 0.1)
    np.testing.assert_allclose(drawn.mean(axis=0), values.mean(axis=0), atol=0.003)
    np.testing.assert_allclose(np.cov(drawn.T)[0, 2], np.cov(values.T)[0, 2] / 200, atol=2e-4)
    np.testing.assert_allclose(drawn.std(axis=0), scipy.stats.sem(values), rtol=0.03)


def test_drawn_means_hold_what_they_promise_with_few_scenes():
    values = in_scenes(np.random.default_rng(6), 6, 5, sets=500)
    inside = 0
    for k in range(500):
        drawn = statistics.drawn_means(means_of(values[:, [k]], groups(6, 5)), draws=1000, seed=k)
        low, high = np.quantile(drawn, [0.025, 0.975])
        inside += low <= 0 <= high
    assert 0.92 <= inside / 500 <= 0.98


def test_signed_ranks_of_a_worked_example():
    """Demšar 2006, table 2: sums of ranks 93 and 12, significant at 5 %."""
    p, effect = statistics.signed_rank(DEMSAR[:, 1] - DEMSAR[:, 0])
    assert effect == pytest.approx((93 - 12) / 105)
    assert 0.005 < p < 0.05


def test_signed_ranks_by_counting_every_sign():
    """Exactly: the share of all 2^10 signs whose sum of ranks is as far from even."""
    differences = np.array([0.3, 1.1, -0.2, 0.9, 1.7, 0.4, -0.5, 2.3, 1.2, 0.8])
    ranked = scipy.stats.rankdata(np.abs(differences))
    observed = abs((np.sign(differences) * ranked).sum())
    signs = np.array(list(itertools.product([-1, 1], repeat=10)))
    p, effect = statistics.signed_rank(differences)
    assert p == pytest.approx((np.abs(signs @ ranked) >= observed).mean())
    assert effect == pytest.approx((np.sign(differences) * ranked).sum() / 55)


def test_no_difference_at_all():
    assert statistics.signed_rank(np.zeros(8)) == (1.0, 0.0)
    assert statistics.signed_rank(np.zeros(0)) == (1.0, 0.0)


def test_holm_by_its_definition():
    p = np.array([0.04, 0.001, 0.03, 0.2, 0.012])
    expected = {0.001: 0.005, 0.012: 0.048, 0.03: 0.09, 0.04: 0.09, 0.2: 0.2}
    np.testing.assert_allclose(statistics.holm(p), [expected[value] for value in p])
    assert statistics.holm(np.array([0.7, 0.9])).max() == 1.0
    assert statistics.holm(np.zeros(0)).shape == (0,)
