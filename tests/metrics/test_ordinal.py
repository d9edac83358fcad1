import numpy as np
import pytest
import torch

from src.core.errors import ConfigError
from src.metrics.mean import MeanError
from src.metrics.ordinal import WHDR, PairAccuracy

# depth on a 2 x 3 grid; pairs are (row 1, column 1, row 2, column 2, relation): +1 where point 1 is farther
DEPTH = [[1.0, 2.0, 3.0], [4.0, 4.0, 6.0]]
FARTHER = (1, 2, 0, 0, 1)
NEARER = (0, 1, 1, 0, -1)
WRONG = (0, 0, 0, 2, 1)
TIE = (1, 0, 1, 1, 1)
TIE_THE_OTHER_WAY = (1, 0, 1, 1, -1)
PADDING = (0, 0, 0, 0, 0)


def pairs(*images):
    return torch.tensor(images, dtype=torch.int64)


@pytest.mark.parametrize(
    ("annotated", "accuracy"),
    [
        ((FARTHER, PADDING), 1.0),
        ((NEARER, PADDING), 1.0),
        ((WRONG, PADDING), 0.0),
        ((TIE, PADDING), 0.0),
        ((TIE_THE_OTHER_WAY, PADDING), 0.0),
        ((FARTHER, NEARER, WRONG, TIE, PADDING), 0.5),
    ],
)
def test_counts_ordered_pairs_and_no_padding(annotated, accuracy, make_pair):
    pair = make_pair(DEPTH, np.zeros((2, 3)), point_pairs=pairs(annotated))
    assert PairAccuracy().per_image(pair).tolist() == [accuracy]
    assert WHDR().per_image(pair).tolist() == [1 - accuracy]


@pytest.mark.parametrize("metric", [PairAccuracy, WHDR])
def test_only_the_order_of_depth_counts(metric, make_pair):
    annotated = pairs((FARTHER, NEARER, WRONG, TIE))
    expected = metric().per_image(make_pair(DEPTH, np.zeros((2, 3)), point_pairs=annotated))
    for change in (np.exp, np.log, lambda z: 5 * z - 100, lambda z: -1 / z):
        pair = make_pair(change(np.array(DEPTH)), np.zeros((2, 3)), point_pairs=annotated)
        assert torch.equal(metric().per_image(pair), expected)


def test_nearest_and_farthest_swap_for_a_prediction_that_runs_the_wrong_way(make_pair):
    annotated = pairs((FARTHER, NEARER, WRONG))
    right = PairAccuracy().per_image(make_pair(DEPTH, np.zeros((2, 3)), point_pairs=annotated))
    wrong = PairAccuracy().per_image(make_pair(-np.array(DEPTH), np.zeros((2, 3)), point_pairs=annotated))
    assert (right + wrong).tolist() == [1]


@pytest.mark.parametrize(("metric", "expected"), [(PairAccuracy, 3 / 5), (WHDR, 2 / 5)])
def test_the_mean_is_over_pairs_not_images(metric, expected, make_pair):
    annotated = pairs((FARTHER, NEARER, FARTHER, TIE), (WRONG,) + 3 * (PADDING,), 4 * (PADDING,))
    pair = make_pair([DEPTH] * 3, np.zeros((3, 2, 3)), point_pairs=annotated)
    measured = MeanError(metric())
    measured.update(pair.aligned, pair.sample)
    per_image = metric().per_image(pair)
    assert per_image[2].isnan()
    assert metric().weight(pair).tolist() == [4, 1, 0]
    assert measured.compute().item() == pytest.approx(expected, abs=1e-15)


def test_missing_point_pairs_are_the_wrong_data_set(make_pair):
    pair = make_pair(DEPTH, DEPTH)
    with pytest.raises(ConfigError, match=r"expected data with point_pairs, .* got none for '0'; choose a data set"):
        WHDR().per_image(pair)
