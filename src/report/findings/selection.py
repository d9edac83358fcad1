"""Which of the images that runs have kept are shown, and in what order of importance."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from src.report.findings.leaderboard import Table
from src.report.findings.panels import panel_files
from src.report.findings.row import Row
from src.report.findings.standing import Standing, standings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One prediction to show.

    Attributes:
        row: the row of the leaderboard it belongs to.
        index: position of the image in the split.
        file: of its panels.
        standing: of the image in the row; None where the records do not hold this position.
        shared: whether the image is shown for every model that has kept it; otherwise as an extreme of this one.
        importance: smaller is drawn first, as long as there is room.
    """

    row: Row
    index: int
    file: Path
    standing: Standing | None
    shared: bool
    importance: tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    row: Row
    files: Mapping[int, Path]
    standings: Mapping[int, Standing]
    first: bool

    def want(self, index: int, *, shared: bool, importance: tuple[int, int]) -> Wanted:
        return Wanted(
            row=self.row,
            index=index,
            file=self.files[index],
            standing=self.standings.get(index),
            shared=shared,
            importance=importance,
        )


def select(tables: Sequence[Table], *, count: int) -> list[Wanted]:
    """Choose among the kept images of one data variant.

    First `count` images that most cells have kept, under their first protocol; then the worst, the median and the best
    of each cell by the first metric of its first protocol; then the shared ones under the other protocols.

    Args:
        tables: of the data variant.
        count: how many images are shown for all models; 0 shows none, nor any extreme.

    Raises:
        RecordsError: if a file of panels has a strange name.
    """
    if count == 0:
        return []
    kept = [_kept(row) for table in tables for row in table.measured]
    holders = Counter(index for one in kept for index in one.files)
    shared = sorted(holders, key=lambda index: (-holders[index], index))[:count]
    wanted = [
        one.want(index, shared=True, importance=(0 if one.first else 2, place))
        for place, index in enumerate(shared)
        for one in kept
        if index in one.files
    ]
    extremes = [
        one.want(index, shared=False, importance=(1, place))
        for one in kept
        if one.first
        for place, index in enumerate(_extremes(one))
        if index not in shared
    ]
    return wanted + extremes


def _kept(row: Row) -> _Kept:
    files = panel_files(row.cell.folder)
    first = row.protocol == next(iter(row.manifest.protocols))
    return _Kept(row=row, files=files, standings=standings(row, files), first=first)


def _extremes(kept: _Kept) -> Iterator[int]:
    """Return the kept image nearest to the worst, to the median and to the best, without repetition."""
    ranked = {index: kept.standings[index] for index in sorted(kept.files) if index in kept.standings}
    ranked = {index: standing for index, standing in ranked.items() if standing.rank is not None}
    if not ranked:
        return iter(())
    worst = max(ranked, key=lambda index: ranked[index].rank or 0)
    median = min(ranked, key=lambda index: ranked[index].off_centre)
    best = min(ranked, key=lambda index: ranked[index].rank or 0)
    return iter(dict.fromkeys((worst, median, best)))
