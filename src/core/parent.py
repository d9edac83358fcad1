"""No process outlives the one that started it, however that dies."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

_LOOK: Final = 0.5
"""Seconds between two looks."""


def watch_parent(then: Callable[[], None], *, wanted: Callable[[], bool] = lambda: False) -> None:
    """Do something when the process that started this one has ended, from a thread that keeps nothing alive.

    Args:
        then: what to do, once.
        wanted: another reason to do it.
    """
    parent = os.getppid()  # another one takes in the children of a process that ends

    def watch() -> None:
        while os.getppid() == parent and not wanted():
            time.sleep(_LOOK)
        then()

    threading.Thread(target=watch, name="watch parent", daemon=True).start()
