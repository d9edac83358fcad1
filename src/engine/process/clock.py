"""Clock: how fast the prediction loop of one process is."""

import dataclasses
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import torch


@dataclasses.dataclass(frozen=True, slots=True)
class Lap:
    """Two points in the work of a device: seconds on the host's clock, or events of CUDA.

    Nothing waits for the device until the time between them is asked for.
    """

    start: float | torch.cuda.Event
    end: float | torch.cuda.Event

    def seconds(self) -> float:
        """Return the time from one to the other; waits until the device has come past both."""
        if isinstance(self.start, torch.cuda.Event):
            assert isinstance(self.end, torch.cuda.Event)  # noqa: S101  # both are of one kind
            self.end.synchronize()
            return float(self.start.elapsed_time(self.end)) / 1000
        assert isinstance(self.end, float)  # noqa: S101  # likewise
        return self.end - self.start


class Clock:
    """Times the prediction loop; the first batch, which pays for start-up, counts only if it is the only one.

    A batch is started and its predictions are computed on the device; it may be finished after the next one has been
    started, in the same order.

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
        self._finished = 0
        self._loop_start: float | None = None
        self._batch_start: float | torch.cuda.Event = 0.0
        self._inferences = array("d")  # eight bytes a batch

    def start(self, device: torch.device) -> None:
        """Start a batch."""
        self._batch_start = self._mark(device)
        if self._loop_start is None:
            self._loop_start = self._batch_start if isinstance(self._batch_start, float) else self._now()

    def inferred(self, device: torch.device) -> Lap:
        """Return the time from the start of the batch to its predictions, all of which have been asked for."""
        return Lap(self._batch_start, self._mark(device))

    def finished(self, images: int, seconds: float) -> None:
        """End a batch of so many images, whose inference took so many seconds."""
        now = self._now()
        if images == 0:  # the one empty batch of a process without images, or one of unreadable ones
            return
        self._inferences.append(seconds)
        if self._finished == 1:
            self.images = 0
        self.images += images
        self.seconds = now - (self._loop_start or 0.0)
        if self._finished == 0:
            self._loop_start = now
        self._finished += 1

    def _mark(self, device: torch.device) -> float | torch.cuda.Event:
        if device.type != "cuda":
            return self._now()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        return event

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
