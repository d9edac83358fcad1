"""Memory that is freed and asked for again."""

import multiprocessing
import platform
import resource

import pytest
import torch

from src.engine.process.allocation import KEPT, keep_freed_memory

MAP = 4 << 20  # bytes: of a map, less than what an allocation may have and be kept


def count_cleared(size: int, answer: "multiprocessing.SimpleQueue[int]") -> None:
    """Allocate, fill and free so many bytes again and again, in a process of its own; give the pages it was given."""
    keep_freed_memory()
    seen = []
    for _ in range(40):
        torch.ones(size, dtype=torch.uint8)
        seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    answer.put(seen[-1] - seen[19])  # the first ones find a place for what is allocated beside them


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library allocates")
@pytest.mark.parametrize(("size", "times"), [(MAP, 0), (2 * KEPT, 20)], ids=("map", "large"))
def test_memory_is_asked_for_once(size: int, times: int) -> None:
    """Pages of a map are cleared once, those of what is too large to be kept every time."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.SimpleQueue[int] = context.SimpleQueue()
    process = context.Process(target=count_cleared, args=(size, answer))
    process.start()
    process.join()
    pages = size / resource.getpagesize()
    assert answer.get() / pages == pytest.approx(times, abs=2)
