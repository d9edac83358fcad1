"""Against published worked examples, scipy where it does the same thing, simulations and formulas written out here."""

import itertools

import numpy as np
import pytest
import scipy.stats

from src.records import statistics
from src.records.statistics import Units, units_of

# Demšar, JMLR 7 (2006), table 6: AUC of C4.5, with m, with cf, with both, on 14 data sets. The last two of the row
# `voting` are printed alike but ranked 2 and 3.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def images(n: int) -> Units:
    return Units(codes=np.arange(n), count=n, kind="images")


def groups(n: int, size: int) -> Units:
    return Units(codes=np.repeat(np.arange(n), size), count=n, kind="groups")


def columns(*values: np.ndarray) -> np.ndarray:
    return np.stack(values, axis=1)


def test_groups_are_drawn_where_there_are_enough_of_them():
    assert units_of(["a"] * 5 + ["b"] * 5).kind == "images"
    assert units_of([str(i) for i in range(30)]).kind == "images", "no group has two images"
    assert units_of([""] * 30).kind == "images"
    assert units_of([]).count == 0
    found = units_of([f"drive {i % 10}" for i in range(30)])
    assert (found.kind, found.count) == ("groups", 10)
    assert found.codes.tolist() == [i % 10 for i in range(30)]


def test_unit_sums_leave_out_what_is_undefined():
    values = columns(np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    weights = columns(np.array([1.0, 3.0, 9.0, 1.0]), np.ones(4))
    sums, totals = statistics.unit_sums(values, weights, groups(2, 2))
    np.testing.assert_array_equal(sums, [[7, 2], [4, 2]])
    np.testing.assert_array_equal(totals, [[4, 2], [1, 2]])


def test_the_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(1).lognormal(size=300)
    sums, totals = statistics.unit_sums(values[:, None], np.ones((300, 1)), images(300))
    distribution = statistics.resampled_means(sums, totals, resamples=20_000)
    low, high = statistics.percentile_interval(distribution)[:, 0]
    reference = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, random_state=2, batch=1000
    ).confidence_interval
    width = reference.high - reference.low
    assert abs(low - reference.low) < 0.02 * width
    assert abs(high - reference.high) < 0.02 * width
    assert abs(distribution.std() - scipy.stats.sem(values)) < 0.02 * scipy.stats.sem(values)


def test_many_units_are_drawn_in_random_groups_with_the_spread_of_drawing_each():
    generator = np.random.default_rng(8)
    values, weights = generator.lognormal(size=(3000, 2)), generator.uniform(0.5, 2, size=(3000, 2))
    values.sort(axis=0)  # groups of neighbours would spread far more than random ones
    values[::7, 1] = np.nan
    sums, totals = statistics.unit_sums(values, weights, images(3000))
    one_by_one = statistics.resampled_means(sums, totals, resamples=4000, random_groups=3000)
    grouped = statistics.resampled_means(sums, totals, resamples=4000, random_groups=700)
    spread = one_by_one.std(axis=0)
    # a spread from 700 values is off by 1 / sqrt(1400) = 2.7 % of itself, more for skewed ones
    np.testing.assert_allclose(grouped.std(axis=0), spread, rtol=0.12)
    np.testing.assert_allclose(
        grouped.std(axis=0), statistics.standard_errors(values, weights, images(3000)), rtol=0.12
    )
    np.testing.assert_allclose(grouped.mean(axis=0), sums.sum(axis=0) / totals.sum(axis=0), atol=0.1 * spread.max())
    interval, reference = (statistics.percentile_interval(drawn) for drawn in (grouped, one_by_one))
    np.testing.assert_allclose(interval, reference, atol=0.3 * spread.max())
    np.testing.assert_array_equal(grouped, statistics.resampled_means(sums, totals, resamples=4000, random_groups=700))


def test_intervals_from_random_groups_cover_what_they_promise():
    generator = np.random.default_rng(9)
    values = generator.lognormal(size=(1001, 300))  # groups of two images, and one of three
    drawn = statistics.resampled_means(values, np.ones_like(values), resamples=500, random_groups=500)
    low, high = statistics.percentile_interval(drawn)
    covered = ((low <= np.exp(0.5)) & (np.exp(0.5) <= high)).mean()
    assert 0.91 <= covered <= 0.98


def test_models_stay_paired_in_random_groups():
    values = np.random.default_rng(10).lognormal(size=(12_000, 1))  # more than are drawn one by one
    first, second = (statistics.resampled_means(v, np.ones_like(v), resamples=50) for v in (values, values + 0.01))
    np.testing.assert_allclose(second - first, 0.01, rtol=1e-9)
    assert first.std() == pytest.approx(scipy.stats.sem(values[:, 0]), rel=0.4)


def test_copies_of_an_image_add_nothing():
    values = np.random.default_rng(3).lognormal(size=40)
    alone = statistics.resampled_means(*statistics.unit_sums(values[:, None], np.ones((40, 1)), images(40)))
    copied = np.repeat(values, 25)[:, None]
    clustered = statistics.resampled_means(*statistics.unit_sums(copied, np.ones_like(copied), groups(40, 25)))
    np.testing.assert_allclose(clustered, alone)
    ignoring = statistics.standard_errors(copied, np.ones_like(copied), images(1000))
    honest = statistics.standard_errors(copied, np.ones_like(copied), groups(40, 25))
    np.testing.assert_allclose(honest, scipy.stats.sem(values))
    assert ignoring < honest / 4


def test_intervals_of_scenes_cover_what_they_promise():
    """Scenes with an offset each: 95 % intervals hold the true mean 95 times in 100, by images far less often."""
    generator = np.random.default_rng(0)
    held = {"groups": 0, "images": 0}
    for _ in range(300):
        values = (generator.normal(size=(50, 1)) + 0.5 * generator.normal(size=(50, 10))).reshape(-1, 1)
        for units in (groups(50, 10), images(500)):
            sums, totals = statistics.unit_sums(values, np.ones_like(values), units)
            low, high = statistics.percentile_interval(statistics.resampled_means(sums, totals, resamples=200))[:, 0]
            held[units.kind] += low <= 0 <= high
    assert 0.90 <= held["groups"] / 300 <= 0.98
    assert held["images"] / 300 < 0.65


def test_standard_error_of_a_weighted_mean_over_groups():
    generator = np.random.default_rng(4)
    values, weights = generator.normal(size=60), generator.uniform(1, 5, size=60)
    (found,) = statistics.standard_errors(values[:, None], weights[:, None], groups(12, 5))
    mean = (weights * values).sum() / weights.sum()
    residuals = [(weights[5 * g : 5 * g + 5] * (values[5 * g : 5 * g + 5] - mean)).sum() for g in range(12)]
    assert found == pytest.approx(np.sqrt(12 / 11 * sum(r**2 for r in residuals)) / weights.sum())


def test_one_unit_has_no_error_and_none_has_no_mean():
    assert np.isnan(statistics.standard_errors(np.ones((3, 1)), np.ones((3, 1)), groups(1, 3))).all()
    empty = statistics.resampled_means(np.zeros((0, 2)), np.zeros((0, 2)), resamples=5)
    assert empty.shape == (5, 2)
    assert np.isnan(statistics.percentile_interval(empty)).all()


def test_models_that_saw_the_same_images_are_drawn_together():
    values = np.random.default_rng(5).normal(size=(200, 1))
    both = np.concatenate([values, values + 0.1], axis=1)
    means = statistics.resampled_means(*statistics.unit_sums(both, np.ones_like(both), images(200)))
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 0.1)


def test_draws_are_the_same_in_one_piece_and_in_many(monkeypatch):
    sums, totals = np.random.default_rng(0).random((2, 50, 3)) + 1
    whole = statistics.resampled_means(sums, totals, resamples=40)
    monkeypatch.setattr(statistics, "_DRAWS_AT_ONCE", 350)
    np.testing.assert_array_equal(statistics.resampled_means(sums, totals, resamples=40), whole)


def test_p_values_of_no_difference_are_uniform():
    generator = np.random.default_rng(6)
    found = []
    for _ in range(400):
        sample = generator.normal(size=(80, 1))
        means = statistics.resampled_means(
            *statistics.unit_sums(sample, np.ones_like(sample), images(80)), resamples=400
        )
        found.append(statistics.resampled_p(means[:, 0]))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    assert 0.4 < np.mean(found) < 0.6


def test_p_values_agree_with_a_t_test_where_that_holds():
    sample = np.random.default_rng(7).normal(loc=0.2, size=(120, 1))
    means = statistics.resampled_means(
        *statistics.unit_sums(sample, np.ones_like(sample), images(120)), resamples=20_000
    )
    expected = scipy.stats.ttest_1samp(sample[:, 0], 0).pvalue
    assert statistics.resampled_p(means[:, 0]) == pytest.approx(expected, rel=0.25)


def test_p_is_never_nought_nor_above_one():
    assert statistics.resampled_p(np.ones(999)) == pytest.approx(0.002)
    assert statistics.resampled_p(np.zeros(10)) == 1.0


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


def test_friedman_and_nemenyi_of_a_worked_example():
    """Demšar 2006, section 3.2.2: average ranks, chi-square 9.28 (not corrected for ties), critical difference 1.25."""
    found = statistics.friedman(DEMSAR, higher_is_better=True)
    np.testing.assert_allclose(found.average_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    reference = scipy.stats.friedmanchisquare(*DEMSAR.T)
    assert found.statistic == pytest.approx(reference.statistic)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.blocks == 14
    untied = 12 * 14 / 20 * ((found.average_ranks - 2.5) ** 2).sum()
    assert untied == pytest.approx(9.28, abs=0.005)


def test_the_same_everywhere_is_no_difference():
    found = statistics.friedman(np.ones((6, 3)), higher_is_better=False)
    assert (found.statistic, found.p) == (0, 1)


def test_bars_of_the_diagram_are_the_largest_runs():
    average = np.array([1.0, 1.5, 2.4, 2.6, 5.0])
    assert statistics.indistinct(average, 1.0) == [(0, 1), (1, 2), (2, 3)]
    assert statistics.indistinct(average, 1.1) == [(0, 1), (1, 2, 3)]
    assert statistics.indistinct(average, 0.05) == []
    assert statistics.indistinct(average[::-1], 9.0) == [(4, 3, 2, 1, 0)]


def test_average_ranks_of_models_far_apart_are_certain():
    generator = np.random.default_rng(8)
    near, far = generator.normal(0, 0.1, (2, 500, 1)), 5.0
    sets = [np.concatenate([near[0], near[1], near[0] + far], axis=1) for _ in range(4)]
    found = statistics.resampled_average_ranks(sets, higher_is_better=False)
    assert found.shape == (500, 3)
    assert (found[:, 2] == 3).all()
    assert found[:, :2].min() >= 1
    assert found[:, :2].max() <= 2
    assert found[:, 0].std() > 0.2
    np.testing.assert_allclose(found.sum(axis=1), 6)


def test_average_ranks_know_that_other_data_sets_might_have_been_taken():
    """Certain within each of four sets, yet one of them disagrees: drawn anew it counts 0 to 4 times."""
    agreeing, other = np.tile([0.1, 0.2], (2000, 1)), np.tile([0.2, 0.1], (2000, 1))
    found = statistics.resampled_average_ranks([agreeing, agreeing, agreeing, other], higher_is_better=False)
    share = [np.mean(found[:, 0] == 1 + count / 4) for count in range(5)]
    np.testing.assert_allclose(share, scipy.stats.binom.pmf(range(5), 4, 0.25), atol=0.04)


def test_a_high_score_ranks_first_where_high_is_good():
    assert statistics.ranks(np.array([[0.1, 0.9], [0.4, 0.4]]), higher_is_better=True).tolist() == [[2, 1], [1.5, 1.5]]
