"""The horizontal axis that the intervals of one table share."""

import dataclasses
from collections.abc import Sequence

from src.records.aggregate import Estimate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `start` to `end`."""

    start: float
    end: float

    def percent(self, value: float) -> float:
        """Return where a value lies, 0 to 100."""
        return round(100 * (value - self.start) / (self.end - self.start), 2)


def axis(found: Sequence[Estimate]) -> Axis | None:
    """Return an axis that holds all intervals with a margin, or None where there is no interval."""
    ends = [end for estimate in found for end in (estimate.low, estimate.mean, estimate.high) if end is not None]
    if all(estimate.low is None for estimate in found):
        return None
    margin = 0.06 * (max(ends) - min(ends)) or 0.06 * abs(ends[0]) or 1.0
    start = min(ends) - margin
    # errors are never negative: an axis that says so would puzzle
    return Axis(start=max(start, 0.0) if min(ends) >= 0 else start, end=max(ends) + margin)
