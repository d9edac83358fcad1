import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.metrics.catalogue import METRICS
from src.metrics.depth import SILog, pixel_errors
from src.metrics.mean import MeanError
from tests.reference.metrics import PIXEL_ERRORS

PIXEL_METRICS = [metric for metric in METRICS.values() if metric.__module__ == "src.metrics.depth"]
every_metric = pytest.mark.parametrize("metric", PIXEL_METRICS, ids=lambda metric: metric.name)

# p = 1, 2, 5, 16 against g = 2, 2, 4, 8: ratios 1/2, 1, 5/4 (on the threshold), 2
PREDICTED, TRUE = [[1.0, 2.0, 5.0, 16.0]], [[2.0, 2.0, 4.0, 8.0]]
BY_HAND = {
    "abs_rel": (0.5 + 0 + 0.25 + 1) / 4,
    "abs_rel_moge": (1 / 2.000001 + 0 + 1 / 4.000001 + 8 / 8.000001) / 4,
    "sq_rel": (1 / 2 + 0 + 1 / 4 + 64 / 8) / 4,
    "sq_rel_kitti": (1 / 4 + 0 + 1 / 16 + 1) / 4,
    "mae": (1 + 0 + 1 + 8) / 4,
    "rmse": math.sqrt((1 + 0 + 1 + 64) / 4),
    "rmse_log": math.sqrt((2 * math.log(2) ** 2 + math.log(1.25) ** 2) / 4),
    "rmse_log10": math.sqrt((2 * math.log10(2) ** 2 + math.log10(1.25) ** 2) / 4),
    "log10": (2 * math.log10(2) + math.log10(1.25)) / 4,
    "log_mae": (2 * math.log(2) + math.log(1.25)) / 4,
    "median_log": 0.0,  # the lower of the two middle values, 0 and ln 1.25
    "silog": 100 * math.sqrt((2 * math.log(2) ** 2 + math.log(1.25) ** 2) / 4 - math.log(1.25) ** 2 / 16),
    "silog_log10": math.sqrt((2 * math.log10(2) ** 2 + math.log10(1.25) ** 2) / 4 - math.log10(1.25) ** 2 / 16),
    "silog_std": 100 * math.sqrt((2 * math.log(2) ** 2 + math.log(1.25) ** 2 - math.log(1.25) ** 2 / 4) / 3),
    "silog_half": math.sqrt((2 * math.log(2) ** 2 + math.log(1.25) ** 2) / 4 - math.log(1.25) ** 2 / 32),
    "i_mae": (1 / 2 + 0 + 1 / 20 + 1 / 16) / 4,
    "i_rmse": math.sqrt((1 / 4 + 0 + 1 / 400 + 1 / 256) / 4),
    # disparities 1, 1/2, 1/5, 1/16 have median 7/20 and mean deviation 99/320; 1/2, 1/2, 1/4, 1/8 have 3/8 and 5/32:
    # normalised 208/99, 48/99, -48/99, -92/99 against 4/5, 4/5, -4/5, -8/5; the largest of four is left out
    "ssi_trimmed_mae": (2 * (4 / 5 - 48 / 99) + (8 / 5 - 92 / 99)) / 8,
    "delta1": 1 / 4,
    "delta2": 2 / 4,
    "delta3": 2 / 4,
    "delta_half": 1 / 4,
    "delta_1p05": 1 / 4,
    "delta_1p10": 1 / 4,
    "tau": 1 / 4,
    # ratio 1 counts from x = 0.01 on, 5/4 from the 21st x (1.0180) on, 2 from the 63rd x (3.1349) on
    "delta_auc": (99 / 4 + 79.5 / 4 + 2 * 37.5 / 4) * (4.99 / 99) / 5,
    "delta1_error": 50.0,
}


def errors(metric, pair):
    return metric().per_image(pair)


@every_metric
def test_equals_the_value_worked_out_by_hand(metric, make_pair):
    assert errors(metric, make_pair(PREDICTED, TRUE)).tolist() == pytest.approx([BY_HAND[metric.name]], rel=1e-12)


@every_metric
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-4, 1, 1e4]))
def test_equals_the_formula_of_the_paper_applied_to_each_image(metric, seed, scale, make_pair, random_maps):
    depth, target, valid = random_maps(seed)
    depth, target = depth * scale, target * np.float32(scale)
    expected = [
        PIXEL_ERRORS[metric.name](p[v], g[v].astype(np.float64)) for p, g, v in zip(depth, target, valid, strict=True)
    ]
    # the variance form of silog is itself only good to 1e-7
    np.testing.assert_allclose(errors(metric, make_pair(depth, target, valid)), expected, rtol=1e-9, atol=1e-6)


@every_metric
def test_single_precision_predictions_agree_with_double_to_a_millionth(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=3)
    single = depth.astype(np.float32).astype(np.float64)
    expected = errors(metric, make_pair(depth, target, valid))
    np.testing.assert_allclose(errors(metric, make_pair(single, target, valid)), expected, rtol=1e-6, atol=1e-7)


@every_metric
def test_values_outside_the_mask_are_inert(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=1)
    spoilt = np.where(valid, depth, np.resize([np.nan, np.inf, -np.inf, 0, -1], depth.shape))
    assert torch.equal(
        errors(metric, make_pair(spoilt, target, valid)), errors(metric, make_pair(depth, target, valid))
    )


@every_metric
def test_an_image_without_a_valid_pixel_is_nan_and_its_neighbour_is_not(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=2)
    valid[0] = False
    assert errors(metric, make_pair(depth, target, valid)).isnan().tolist() == [True, False, False]


@every_metric
def test_a_batch_equals_its_images_one_by_one_in_any_order(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=4)
    together = errors(metric, make_pair(depth, target, valid))
    order = [2, 0, 1]
    alone = [errors(metric, make_pair(depth[i], target[i], valid[i])) for i in order]
    torch.testing.assert_close(torch.cat(alone), together[order], rtol=1e-14, atol=1e-14)


@every_metric
def test_a_perfect_prediction_has_the_best_value_and_noise_a_worse_one(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=5, spread=1.0)
    best = {True: 0.998 if metric.name == "delta_auc" else 1.0, False: 0.0}[metric.higher_is_better]
    perfect = errors(metric, make_pair(target, target, valid))
    assert perfect.tolist() == pytest.approx([best] * 3, abs=1e-12)
    noisy = errors(metric, make_pair(depth, target, valid))[:2]
    assert (noisy < perfect[:2]).all() if metric.higher_is_better else (noisy > perfect[:2]).all()


@every_metric
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), factor=st.sampled_from([1 / 64, 0.5, 8]))
def test_changes_with_the_unit_of_length_as_its_own_unit_says(metric, seed, factor, make_pair, random_maps):
    depth, target, valid = random_maps(seed)
    power = {"m": 1, "1/m": -1, "fraction": 0, "percent": 0, "": 0}[metric.unit]
    before = errors(metric, make_pair(depth, target, valid))
    after = errors(metric, make_pair(factor * depth, np.float32(factor) * target, valid))
    tolerance = 1e-3 if metric.name == "abs_rel_moge" else 1e-9  # its epsilon is a length of its own
    torch.testing.assert_close(after, before * factor**power, rtol=tolerance, atol=1e-9)


def test_the_trimmed_error_ignores_scale_and_shift_of_the_disparity(make_pair, random_maps):
    depth, target, valid = random_maps(seed=8, spread=0.05)
    metric = METRICS["ssi_trimmed_mae"]
    before = errors(metric, make_pair(depth, target, valid))
    after = errors(metric, make_pair(1 / (0.3 / depth + 0.2), target, valid))
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-12)


def test_the_trimmed_error_of_a_constant_is_that_of_zero(make_pair):
    # 1/g = 3, 2, 1 less 2 over 2/3 is 1.5, 0, -1.5; the two least of three remain
    pair = make_pair([[2.0] * 3], [[1 / 3, 1 / 2, 1.0]])
    assert errors(METRICS["ssi_trimmed_mae"], pair).item() == pytest.approx(1.5 / 6, rel=1e-6)


@pytest.mark.parametrize("name", ["silog", "silog_std"])
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-6, 1e6))
def test_scale_invariant_errors_ignore_the_scale_of_the_prediction(name, seed, factor, make_pair, random_maps):
    depth, target, valid = random_maps(seed)
    before = errors(METRICS[name], make_pair(depth, target, valid))
    after = errors(METRICS[name], make_pair(factor * depth, target, valid))
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "threshold"), [("delta1", 1.25), ("delta2", 1.25**2), ("delta3", 1.25**3)])
def test_a_ratio_on_the_threshold_is_no_inlier_on_either_side(name, threshold, make_pair):
    target = [[4.0, 4.0 * threshold, 4.0, 4.0 * threshold]]
    below = threshold * (1 - 1e-6)
    depth = [[4.0 * threshold, 4.0, 4.0 * below, 4.0 * threshold / below]]  # on, on, inside, inside
    assert errors(METRICS[name], make_pair(depth, target)).tolist() == [0.5]


def test_a_ratio_on_the_threshold_is_no_outlier_either(make_pair):
    pair = make_pair([[5.0, 4.0, 5.001, 1.0]], [[4.0, 5.0, 4.0, 1.0]])
    assert errors(METRICS["delta1_error"], pair).tolist() == [25.0]


@pytest.mark.parametrize(("depth", "share"), [(0.0, 0.5), (-2.0, 1.0)])
def test_ratios_of_a_negative_depth_are_below_every_threshold_and_it_has_no_logarithm(depth, share, make_pair):
    pair = make_pair([[depth, 2.0]], [[2.0, 2.0]])
    for name in ("delta1", "delta2", "delta3", "tau", "delta_half"):
        assert errors(METRICS[name], pair).tolist() == [share]
    assert errors(METRICS["delta1_error"], pair).tolist() == [100 * (1 - share)]
    assert errors(METRICS["delta_auc"], pair).item() == pytest.approx(0.998 * share)
    for name in ("rmse_log", "log10", "log_mae", "silog"):
        assert not errors(METRICS[name], pair).isfinite().any()


@every_metric
def test_a_prediction_that_is_nan_on_a_valid_pixel_gives_no_number(metric, make_pair, random_maps):
    depth, target, valid = random_maps(seed=9)
    depth[1, 0, 0] = np.nan
    assert errors(metric, make_pair(depth, target, valid)).isnan().tolist() == [False, True, False]


def test_one_constant_factor_leaves_no_scale_invariant_error(make_pair, random_maps):
    _, target, valid = random_maps(seed=6)
    assert errors(SILog, make_pair(3.7 * target.astype(np.float64), target, valid)).max() < 1e-12


def test_pixel_errors_are_computed_once_for_all_metrics_of_a_batch(make_pair, random_maps):
    pair = make_pair(*random_maps(seed=7))
    assert pair.once(pixel_errors) is pair.once(pixel_errors)


def test_the_mean_is_over_images_not_pixels(make_pair):
    pair = make_pair(
        [[[2.0, 2.0]], [[1.0, 3.0]]], [[[1.0, 1.0]], [[1.0, 2.0]]], [[[True, True]], [[True, False]]], index=(4, 2)
    )
    metric = MeanError(METRICS["abs_rel"]())
    metric.update(pair.aligned, pair.sample)
    assert metric.compute().item() == 0.5
