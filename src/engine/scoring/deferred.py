"""Results that are read later: copies on their way from a device to the host, and the order in which they are taken."""

import contextlib
import functools
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor


class Copied:
    """Numbers of a device that a copy to the host has been asked for; nothing waits until they are read.

    Args:
        values: of any shape, on any device.
    """

    def __init__(self, values: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if values.device.type == "cuda":
            # page-locked: a copy into other memory would wait
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record(torch.cuda.current_stream(values.device))
        else:
            self._values = values

    def read(self) -> Tensor:
        """Return the values on the host; waits until they have arrived."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return self._values


_Item = TypeVar("_Item")


class Deferred(Generic[_Item]):
    """Hands back what was put in, in order, each so many puts later.

    Attributes:
        ahead: how many later ones are put in before one is handed back; 0 for at once. May change on the way.
    """

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self._waiting: deque[_Item] = deque()

    def put(self, item: _Item) -> Iterator[_Item]:
        """Put one in and go over those that are due.

        >>> queue = Deferred(ahead=1)
        >>> list(queue.put("a")), list(queue.put("b")), list(queue.drain())
        ([], ['a'], ['b'])
        """
        self._waiting.append(item)
        while len(self._waiting) > self.ahead:
            yield self._waiting.popleft()

    def drain(self) -> Iterator[_Item]:
        """Go over all that are left."""
        while self._waiting:
            yield self._waiting.popleft()


def batches_ahead(device: torch.device) -> int:
    """Return how many batches are launched before one is read: on CUDA the next, so that the device never waits.

    The processor computes what it is told to before it goes on, so there is nothing to gain.
    """
    return 1 if device.type == "cuda" else 0


@contextlib.contextmanager
def beside(device: torch.device) -> Iterator[None]:
    """Have what is asked for within not queue up behind what a CUDA device has been given to compute before.

    For what reads results that are known to be complete: pictures and predictions of the batch before.
    """
    if device.type != "cuda":
        yield
        return
    with torch.cuda.stream(_side_stream(device)):
        yield


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
