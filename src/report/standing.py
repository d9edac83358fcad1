"""How an image stands among all images of a cell."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float64

from src.records.schema import ImageStatus
from src.records.table import Scored
from src.report.leaderboard import Row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One image of one row, by the first metric of the row's protocol.

    Attributes:
        sample_id: name of the image.
        status: of the image.
        value: of the metric; None where undefined.
        rank: 1 for the best image, `of` for the worst, failed ones being worst of all; None where nothing was scored.
        of: number of ranked images.
    """

    sample_id: str
    status: ImageStatus
    value: float | None
    rank: int | None
    of: int

    @property
    def label(self) -> str:
        """The rank in words; "" where there is none."""
        if self.rank is None or self.of < 2:
            return ""
        if self.rank in (1, self.of):
            return f"{'best' if self.rank == 1 else 'worst'} of {self.of}"
        return f"rank {self.rank} of {self.of}"

    @property
    def off_centre(self) -> float:
        """Number of ranks from the middle one; infinite where there is no rank."""
        return math.inf if self.rank is None else abs(self.rank - (self.of + 1) / 2)


def headline(row: Row) -> str:
    """Return the metric that images are ranked by: the first of the row's protocol."""
    return next(iter(row.manifest.protocols[row.protocol].metrics))


def badness(scored: Scored, metric: str, *, higher_is_better: bool) -> Float64[np.ndarray, " n"]:
    """Return how bad each image is by a metric, larger for worse: infinite if failed, NaN if nothing is known."""
    return np.where(scored.status == "failed", np.inf, scored.errors[metric] * (-1 if higher_is_better else 1))


def standings(row: Row) -> dict[int, Standing]:
    """Return how every image of a row stands, by its index; equally bad images in order of the split."""
    metric, scored = headline(row), row.cell.scores[row.protocol]
    bad = badness(
        scored, metric, higher_is_better=row.manifest.protocols[row.protocol].metrics[metric].higher_is_better
    )
    of = int((~np.isnan(bad)).sum())
    order = np.argsort(bad, kind="stable")[:of]  # NaN comes last
    ranks = {int(place): rank for rank, place in enumerate(order, start=1)}
    return {
        int(index): Standing(
            sample_id=str(scored.sample_id[place]),
            status=str(scored.status[place]),  # type: ignore[arg-type]
            value=float(value) if np.isfinite(value := scored.errors[metric][place]) else None,
            rank=ranks.get(place),
            of=of,
        )
        for place, index in enumerate(scored.index)
    }
