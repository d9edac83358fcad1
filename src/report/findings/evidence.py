"""What a report is made of, each part computed once, when it is first asked for."""

import dataclasses
import functools

from src.report.findings.board import Board, build_boards
from src.report.findings.cells import Findings
from src.report.findings.differences import Differences, differences
from src.report.findings.leaderboard import Groups, Table, comparable_rows, tables_of
from src.report.findings.papers import PaperComparison, compare
from src.report.findings.robustness import Trial, trials


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """The page, its tables as files and the terminal all draw from this.

    Attributes:
        findings: the cells.
        images: how many images of each cell are shown.
        floors: whether baselines that ignore the image compete.
        baseline: name of the row whose mCE is 100 %; None for the most complete ranked one.
    """

    findings: Findings
    images: int
    floors: bool = False
    baseline: str | None = None

    @functools.cached_property
    def groups(self) -> Groups:
        """Rows of all cells, clean or corrupted, by what must agree between them."""
        return comparable_rows(self.findings.cells, floors=self.floors)

    @functools.cached_property
    def tables(self) -> tuple[Table, ...]:
        """Of clean cells, in order of data variant."""
        return tuple(tables_of(self.groups))

    @functools.cached_property
    def boards(self) -> tuple[Board, ...]:
        """Models against data sets."""
        return build_boards(self.tables)

    @functools.cached_property
    def differences(self) -> tuple[Differences, ...]:
        """Pairs of models."""
        return differences(self.tables)

    @functools.cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Models on corrupted images."""
        return trials(self.groups, baseline=self.baseline)

    @functools.cached_property
    def papers(self) -> tuple[PaperComparison, ...]:
        """Printed numbers beside measured ones."""
        return compare(self.tables)
