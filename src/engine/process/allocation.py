"""How the C library allocates memory in this process."""

import ctypes
import platform
from typing import Final

KEPT: Final = 1 << 25
"""Bytes, 32 MiB: the most that glibc lets an allocation have and still come from memory that is kept."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Keep freed memory for the next image instead of giving it back to the system, where glibc allocates.

    Scoring an image allocates and frees some ten maps of a few megabytes. Given back and asked for again, each of their
    pages is cleared by the kernel, which the threads of a process wait for one after another. Threads share one arena
    too, since every other one is small and given back by a rule of its own. Together this takes a fourth to a third off
    the time of scoring whole images on two threads. Larger allocations than `KEPT` go back as ever, and so does
    everything where another C library allocates.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, KEPT)
        mallopt(_TRIM_THRESHOLD, 8 * KEPT)
        mallopt(_ARENA_MAX, 1)
