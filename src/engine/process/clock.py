"""Clock: how fast the prediction loop of one process is."""

import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import torch


class Clock:
    """Times the prediction loop; the first batch, which pays for start-up, counts only if it is the only one.

    Args:
        now: seconds from any origin.

    Attributes:
        images: that count.
        seconds: of the loop that they took: loading that inference does not hide, inference, scoring, records.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.images = 0
        self.seconds = 0.0
        self._now = now
        self._batches = 0
        self._loop_start = 0.0
        self._batch_start = 0.0
        self._inferences = array("d")  # eight bytes a batch

    def start(self, device: torch.device) -> None:
        """Start a batch."""
        synchronise(device)
        self._batch_start = self._now()
        if self._batches == 0:
            self._loop_start = self._batch_start

    def inferred(self, device: torch.device) -> float:
        """Return the seconds since the batch started, inference complete."""
        synchronise(device)
        seconds = self._now() - self._batch_start
        self._inferences.append(seconds)
        return seconds

    def finished(self, images: int) -> None:
        """End a batch of so many images."""
        now = self._now()
        if images == 0:  # the one empty batch of a process without images, or one of unreadable ones
            self._inferences.pop()
            return
        if self._batches == 1:
            self.images = 0
        self.images += images
        self.seconds = now - self._loop_start
        if self._batches == 0:
            self._loop_start = now
        self._batches += 1

    @property
    def latencies(self) -> list[float]:
        """Seconds from a batch on the device to its predictions, batch by batch."""
        return self._inferences[1:].tolist() or self._inferences.tolist()


def median_and_p95(latencies: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the median and the 95th percentile, linear between order statistics; None of nothing.

    >>> median_and_p95([0.2, 0.1, 0.4])
    (0.2, 0.38)
    """
    if not latencies:
        return None, None
    median, p95 = np.percentile(latencies, [50, 95])
    return float(median), float(p95)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told to; the processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
