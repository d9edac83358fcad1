import pytest

from src.report.findings import words


def test_known_metrics_have_their_customary_name_and_others_keep_theirs() -> None:
    assert words.metric_label("delta1") == "δ₁"
    assert words.metric_label("my_metric") == "my_metric"


@pytest.mark.parametrize(
    ("fitted_in", "shifted", "text"),
    [
        ("nothing", False, "none, metres are scored as predicted"),
        ("depth", False, "scale per image, fitted to the ground truth in depth"),
        ("disparity", True, "scale and shift per image, fitted to the ground truth in disparity (1/depth)"),
        ("square_root", True, "scale and shift per image, fitted to the ground truth in square_root"),
    ],
)
def test_alignment_in_words(fitted_in: str, shifted: bool, text: str) -> None:
    assert words.alignment(fitted_in, shifted=shifted) == text


@pytest.mark.parametrize(
    ("values", "decimals"), [([0.0001], 4), ([0.9], 4), ([1.0], 3), ([12.0, 100.0], 2), ([5000.0], 1), ([0.0], 4)]
)
def test_the_smallest_value_decides_the_decimals(values: list[float], decimals: int) -> None:
    assert words.decimals_for(values) == decimals


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (1.0, "1"), (99.99, "100"), (1242.0, "1242")])
def test_metres(value: float, text: str) -> None:
    assert words.metres(value) == text


def test_counts_below_a_thousand_are_exact() -> None:
    assert [words.count(n) for n in (999, 1000, 2_500_000_000)] == ["999", "1 k", "2.5 B"]
