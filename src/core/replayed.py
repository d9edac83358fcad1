"""Work on a CUDA device launched as one graph for each shape, where many small kernels take longer to launch."""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor

log = logging.getLogger(__name__)

MOST_SHAPES: Final = 8
"""That get a graph; each keeps the memory of its work."""
_BEFORE = 2  # times that the work of a shape is done kernel by kernel before it gets a graph

_is_allowed: ContextVar[bool] = ContextVar("is_allowed", default=True)

Result = TypeVar("Result")
Recorder = Callable[[Callable[[], Any]], tuple[Callable[[], None], Any]]


@contextlib.contextmanager
def kernel_by_kernel() -> Iterator[None]:
    """Have nothing replayed within: for what looks at single operations."""
    token = _is_allowed.set(False)
    try:
        yield
    finally:
        _is_allowed.reset(token)


def capture(work: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
    """Record what a function asks of the CUDA device; return what asks for all of it again, and its result.

    Raises:
        RuntimeError: if it asks for what a graph cannot hold, such as an answer.
    """
    graph = torch.cuda.CUDAGraph()
    # threads of the loader allocate page-locked memory meanwhile, which only their own captures forbid
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = work()
    return graph.replay, result


class Replayed(Generic[Result]):
    """Does the same work on tensors again and again; on CUDA by a graph, if that gives the same digits to the bit.

    What a graph returns is overwritten when the next tensors of its shapes come, so it is to be used up before, on the
    device.

    Args:
        what: name of the work, for the log.
        digits: the tensors of a result that must be the same to the bit.
        recorded: how work is recorded, see `capture`.
    """

    def __init__(
        self, what: str, digits: Callable[[Result], list[Tensor]], *, recorded: Recorder | None = None
    ) -> None:
        self._what = what
        self._digits = digits
        self._recorded = recorded
        self._seen: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, _Graph[Result] | None] = {}

    def __call__(
        self, work: Callable[[Mapping[str, Tensor]], Result], tensors: Mapping[str, Tensor], *, given: Hashable = None
    ) -> Result:
        """Return what the work makes of tensors.

        Args:
            work: computes on the device of the tensors, from them and from what does not change with `given`.
            tensors: by name.
            given: all else that the work depends on.
        """
        if not _is_allowed.get() or any(_is_on_host(tensor) for tensor in tensors.values()):
            return work(tensors)
        key = (given, *((name, tensor.shape, tensor.dtype) for name, tensor in tensors.items()))
        if key not in self._graphs:
            self._seen[key] += 1
            if self._seen[key] <= _BEFORE or len(self._graphs) >= MOST_SHAPES:
                return work(tensors)
            self._graphs[key] = self._record(work, tensors)
        graph = self._graphs[key]
        return work(tensors) if graph is None else graph(tensors)

    def _record(
        self, work: Callable[[Mapping[str, Tensor]], Result], tensors: Mapping[str, Tensor]
    ) -> "_Graph[Result] | None":
        """Return the graph of some shapes, None if it cannot be had or gives other digits for these tensors."""
        expected = [digits.clone() for digits in self._digits(work(tensors))]
        try:
            graph = _Graph(work, tensors, self._recorded or capture)
        except RuntimeError as error:
            log.debug("%s is not replayed: %s", self._what, error)
            return None
        found = self._digits(graph(tensors))
        if not all(torch.equal(_bits(one), _bits(other)) for one, other in zip(found, expected, strict=True)):
            log.debug("%s is not replayed: a graph gives other digits", self._what)
            return None
        return graph


class _Graph(Generic[Result]):
    """Work on tensors of its own."""

    def __init__(
        self, work: Callable[[Mapping[str, Tensor]], Result], tensors: Mapping[str, Tensor], recorded: Recorder
    ) -> None:
        self._inputs = {name: tensor.clone() for name, tensor in tensors.items()}
        self._replay, self._result = recorded(lambda: work(self._inputs))

    def __call__(self, tensors: Mapping[str, Tensor]) -> Result:
        for name, tensor in tensors.items():
            self._inputs[name].copy_(tensor)
        self._replay()
        result: Result = self._result
        return result


def _is_on_host(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _bits(values: Tensor) -> Tensor:
    """Bytes, where NaN is equal to itself and -0 is not 0."""
    return values.contiguous().view(torch.uint8) if values.ndim else values.reshape(1).view(torch.uint8)
