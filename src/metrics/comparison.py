"""Comparison: what a metric looks at, an aligned prediction beside its ground truth."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from torch import Tensor

from src.core.aligned import Aligned
from src.core.errors import ConfigError
from src.core.sample import Sample

T = TypeVar("T")


class Comparison:
    """A batch of aligned predictions beside their ground truth, and the intermediate results that metrics share.

    Nine depth errors need one map of log ratios, precision and recall need one set of edges: a metric asks for such
    a thing through `once`, and whichever metric asks first pays for it.
    """

    def __init__(self, aligned: Aligned, sample: Sample) -> None:
        self.aligned = aligned
        self.sample = sample
        self._results: dict[Callable[[Comparison], Any], Any] = {}

    def annotation(self, name: str) -> Tensor:
        """Return an optional field of the sample, such as its point pairs.

        Raises:
            ConfigError: if the data set has none.
        """
        value = getattr(self.sample, name)
        if value is None:
            msg = (
                f"expected data with {name}, which a metric of this protocol reads, got none for "
                f"{self.sample.sample_id[0]!r}; choose a data set that is annotated with it, or another protocol"
            )
            raise ConfigError(msg)
        return cast("Tensor", value)

    def once(self, compute: "Callable[[Comparison], T]") -> T:
        """Return `compute(self)`, computed at the first call with this function."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        return self._results[compute]  # type: ignore[no-any-return]
