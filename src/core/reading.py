"""How long files take to be read, as opposed to decoded."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from src.core.bounds import check_bytes
from src.core.errors import DataError


@dataclasses.dataclass(slots=True)
class Reading:
    """Counts the time of reading.

    Attributes:
        now: seconds from any origin.
        seconds: counted so far.
    """

    now: Callable[[], float] = time.perf_counter
    seconds: float = 0.0


_counted: ContextVar[Reading | None] = ContextVar("counted", default=None)


@contextmanager
def count_reading(now: Callable[[], float] = time.perf_counter) -> Iterator[Reading]:
    """Count the time of reading files in this block and all that it calls."""
    token = _counted.set(reading := Reading(now))
    try:
        yield reading
    finally:
        _counted.reset(token)


@contextmanager
def read_here() -> Iterator[None]:
    """Have the time of this block, or function, be that of reading a file, where somebody counts it."""
    reading = _counted.get()
    if reading is None:
        yield
        return
    start = reading.now()
    try:
        yield
    finally:
        reading.seconds += reading.now() - start


@read_here()
def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: if it is too large to be read whole.
        OSError: if it cannot be read.
    """
    try:
        check_bytes(path.stat().st_size)
    except ValueError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error
    return path.read_bytes()
