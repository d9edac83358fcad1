import collections
from pathlib import Path

import numpy as np
import pytest
import yaml

from src.core.errors import RecordsError
from src.metrics.catalogue import METRICS
from src.records.published import PublishedNumber, published_numbers

CONF = Path(__file__).parents[2] / "conf" / "protocol"
NOT_ACCURACIES = {"latency_ms": "ms", "params_m": "million", "fps": "fps", "improvement_vs_dpt_large": "percent"}


@pytest.fixture(scope="module")
def numbers():
    return published_numbers()


def test_every_number_is_there_once(numbers):
    assert len(numbers) == 2366
    assert collections.Counter(number.paper for number in numbers).most_common(3) == [
        ("moge", 450),
        ("moge_2", 426),
        ("depth_pro", 324),
    ]
    assert len(set(numbers)) == len(numbers)


def test_every_metric_is_one_of_ours_in_a_unit_that_converts(numbers):
    for number in numbers:
        if number.metric in NOT_ACCURACIES:
            assert number.unit == NOT_ACCURACIES[number.metric]
            assert number.protocol == ""
        else:
            assert np.isfinite(number.value_in(METRICS[number.metric].unit))


def test_every_named_protocol_exists_and_has_the_metric(numbers):
    named = {(number.protocol, number.metric) for number in numbers if number.protocol}
    for protocol, metric in named:
        assert metric in yaml.safe_load((CONF / f"{protocol}.yaml").read_text())[protocol]["metrics"]
    assert len({protocol for protocol, _ in named}) == 20


def test_fractions_are_fractions(numbers):
    shares = {"delta1", "delta2", "delta3", "delta1_error", "pair_accuracy", "whdr", "boundary_f1", "boundary_recall"}
    for number in numbers:
        if number.metric in shares:
            assert 0 <= number.value_in("fraction") <= 1, number


def test_every_number_says_where_it_is_from(numbers):
    kinds = {number.source.split(":")[0] for number in numbers}
    assert kinds == {"paper", "repo", "secondary"}


def test_known_numbers(numbers):
    found = {
        (number.dataset, number.metric): number.value_in("fraction")
        for number in numbers
        if number.paper == "marigold" and number.source.endswith("row 'w/ ensemble'")
    }
    np.testing.assert_allclose(found["nyu", "abs_rel"], 0.055)
    np.testing.assert_allclose(found["kitti", "delta1"], 0.916)


def test_a_unit_that_means_something_else_is_refused(numbers):
    with pytest.raises(RecordsError, match="expected a unit that 'percent' converts to, got 'm'"):
        next(number for number in numbers if number.unit == "percent").value_in("m")


@pytest.mark.parametrize(
    ("header", "row"), [("model,value", "x,0.1"), (",".join(PublishedNumber.__slots__[1:]), "a,b,c,d,e,f,g,much,h,i")]
)
def test_a_damaged_file_is_named(header, row, tmp_path):
    (tmp_path / "paper.csv").write_text(f"{header}\n{row}\n")
    with pytest.raises(RecordsError, match=r"paper\.csv: expected the columns model, checkpoint, dataset"):
        published_numbers(tmp_path)
