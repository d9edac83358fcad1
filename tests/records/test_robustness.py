import pytest

from src.core.errors import RecordsError
from src.records.robustness import corruption_error, mean_corruption_error, mean_resilience_rate

# DEE2 of MonoDepth2 on KITTI-C, 18 corruptions in the order of RoboDepth's README, and on clean images
MONODEPTH2 = {
    "brightness": 0.130,
    "dark": 0.280,
    "fog": 0.155,
    "frost": 0.277,
    "snow": 0.511,
    "contrast": 0.187,
    "defocus_blur": 0.244,
    "glass_blur": 0.242,
    "motion_blur": 0.216,
    "zoom_blur": 0.201,
    "elastic_transform": 0.129,
    "color_quant": 0.193,
    "gaussian_noise": 0.384,
    "impulse_noise": 0.389,
    "shot_noise": 0.340,
    "iso_noise": 0.388,
    "pixelate": 0.145,
    "jpeg_compression": 0.196,
}


def test_resilience_equals_the_published_rate_of_the_baseline():
    assert mean_resilience_rate(MONODEPTH2, clean=0.119) == pytest.approx(84.46, abs=0.005)


def test_a_baseline_has_100_percent_of_its_own_error():
    assert mean_corruption_error(MONODEPTH2, MONODEPTH2) == pytest.approx(100)


def test_corruptions_count_alike_however_hard_they_are():
    errors, baseline = {"fog": 0.1, "snow": 0.6}, {"fog": 0.2, "snow": 0.4}
    assert mean_corruption_error(errors, baseline) == pytest.approx(100 * (0.5 + 1.5) / 2)


def test_the_error_of_a_corruption_is_that_of_the_mean_over_severities():
    severities = [(0.1, 0.9), (0.2, 0.8), (0.3, 0.7), (0.4, 0.6), (0.5, 0.5)]
    assert corruption_error(severities) == pytest.approx((0.3 - 0.7 + 1) / 2)


def test_missing_results_are_refused():
    with pytest.raises(RecordsError, match="severities 1 to 5, got 4"):
        corruption_error([(0.1, 0.9)] * 4)
    with pytest.raises(RecordsError, match="one set of corruptions"):
        mean_corruption_error({"fog": 0.1}, {"snow": 0.1})
