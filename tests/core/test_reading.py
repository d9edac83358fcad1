"""Reading files is counted apart, where somebody asks."""

import pytest

from src.core.reading import count_reading, read_bytes, read_here


class Ticks:
    """A clock that shows what it is told to."""

    def __init__(self, *times):
        self.times = iter(times)

    def __call__(self):
        return float(next(self.times))


def test_what_is_read_inside_is_counted_and_no_more(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    with count_reading(Ticks(1, 3, 10, 14)) as reading:
        assert read_bytes(file) == b"abc"
        with read_here():
            pass
    assert reading.seconds == (3 - 1) + (14 - 10)
    read_bytes(file)  # the clock would have no time left
    assert reading.seconds == 6


def test_a_file_that_cannot_be_read_takes_time_too(tmp_path):
    with count_reading(Ticks(1, 3)) as reading, pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")
    assert reading.seconds == 2


def test_counts_do_not_mix():
    with count_reading(Ticks(0, 1)) as outer:
        with count_reading(Ticks(0, 5)) as inner, read_here():
            pass
        with read_here():
            pass
    assert (outer.seconds, inner.seconds) == (1, 5)
