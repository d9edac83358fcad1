import numpy as np
import pytest

from src.report.drawing import values


def row(*metres: float) -> np.ndarray:
    return np.array([metres], dtype=np.float32)


def test_metres_are_kept_to_an_eighth_of_a_thousandth() -> None:
    depth = np.geomspace(1e-3, 1e4, 5001, dtype=np.float32)[None]
    known = np.ones(depth.shape, dtype=bool)
    assert values.metres(values.quantise(depth, known)) == pytest.approx(depth.astype(np.float64), rel=1.26e-4)


def test_unknown_and_broken_have_codes_of_their_own() -> None:
    codes = values.quantise(row(2, np.nan, np.inf, 2, np.nan), np.array([[True, True, True, False, False]]))[0]
    assert codes.tolist()[1:] == [values.BROKEN, values.BROKEN, values.UNKNOWN, values.UNKNOWN]
    assert np.isnan(values.metres(codes[None])[0, 1:]).all()


def test_the_ends_hold_what_lies_beyond() -> None:
    codes = values.quantise(row(0, -3, 1e-9, 1e30), np.ones((1, 4), dtype=bool))[0].tolist()
    assert codes == [values.UNKNOWN + 1] * 3 + [values.BROKEN - 1]


def test_the_stride_keeps_the_grid_small() -> None:
    for longer in (1, 240, 241, 480, 481, 1000):
        step = values.stride((longer // 2 + 1, longer))
        assert len(range(step // 2, longer, step)) <= values.LONGER_SIDE
        assert step == 1 or longer > values.LONGER_SIDE
