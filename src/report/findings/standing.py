"""How an image stands among all images of a cell."""

import dataclasses
import math
from collections.abc import Collection

import numpy as np
from jaxtyping import Float64

from src.records.schema import ImageStatus
from src.records.table import Scored
from src.report.findings.row import Row


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


def standings(row: Row, indices: Collection[int]) -> dict[int, Standing]:
    """Return how some images of a row stand among all of them; equally bad images in order of the split.

    Args:
        row: of a table.
        indices: of the images, positions in the split; those that the records do not hold are left out.
    """
    metric, scored = headline(row), row.cell.scores[row.protocol]
    bad = badness(
        scored, metric, higher_is_better=row.manifest.protocols[row.protocol].metrics[metric].higher_is_better
    )
    of = int((~np.isnan(bad)).sum())
    ranks = np.empty(len(bad), np.int64)
    ranks[np.argsort(bad, kind="stable")] = np.arange(1, len(bad) + 1)  # NaN comes last
    places = np.flatnonzero(np.isin(scored.index, list(indices))).tolist()
    return {
        int(scored.index[place]): Standing(
            sample_id=str(scored.sample_id[place]),
            status=str(scored.status[place]),  # type: ignore[arg-type]
            value=float(value) if np.isfinite(value := scored.errors[metric][place]) else None,
            rank=int(ranks[place]) if ranks[place] <= of else None,
            of=of,
        )
        for place in places
    }
