"""The section that puts measured numbers beside printed ones."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from src.records.published import PublishedNumber, published_numbers
from src.records.reproduction import (
    PaperTable,
    PrintedColumn,
    PrintedModel,
    Rerun,
    Tolerance,
    paper_tables,
    reruns,
    tolerance,
)
from src.report.findings.leaderboard import Table
from src.report.findings.row import Row

Verdict = Literal["reproduced", "deviates", "not reachable", "no verdict"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One printed number beside the measured one.

    Attributes:
        row: the measured one.
        metric: of it.
        unit: of every number here.
        printed: the number as printed, with its source.
        published: it in `unit`.
        measured: mean over images.
        difference: measured minus published.
        allowed: how far they may lie apart.
        verdict: whether they do.
        because: why the number cannot be expected, or why there is no verdict; "" otherwise.
        others: what others measured of the same model on the same data set under the same protocol.
    """

    row: Row
    metric: str
    unit: str
    printed: PublishedNumber
    published: float
    measured: float
    difference: float
    allowed: Tolerance
    verdict: Verdict
    because: str
    others: tuple[Rerun, ...]

    @property
    def decimals(self) -> int:
        """How many decimals the paper prints, in `unit`."""
        return max(0, round(-math.log10(2 * self.allowed.rounding)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PaperComparison:
    """A table of a paper, as far as it was measured.

    Attributes:
        table: of the paper.
        comparisons: in its order; at least one.
        missing: printed numbers that it holds a column for and that no cell measured.
    """

    table: PaperTable
    comparisons: tuple[Comparison, ...]
    missing: int

    def count(self, verdict: Verdict) -> int:
        """Return how many numbers have the verdict."""
        return sum(one.verdict == verdict for one in self.comparisons)


def compare(tables: Sequence[Table]) -> tuple[PaperComparison, ...]:
    """Put every cell beside the numbers that papers print for exactly what it measured."""
    numbers, others = published_numbers(), reruns()
    rows = [(table, row) for table in tables for row in table.measured]
    found = []
    for paper in paper_tables():
        comparisons: list[Comparison] = []
        missing = 0
        for model in paper.models:
            for column in paper.columns:
                printed = paper.printed(model, column, numbers)
                answering = [(table, row) for table, row in rows if _answers(row, model, column)]
                missing += 0 if answering else len(printed)
                for table, row in answering:
                    comparisons += _compared(table, row, column, printed, numbers, others)
        if comparisons:
            found.append(PaperComparison(table=paper, comparisons=tuple(comparisons), missing=missing))
    return tuple(found)


def _answers(row: Row, model: PrintedModel, column: PrintedColumn) -> bool:
    manifest = row.manifest
    if (manifest.data, row.protocol) != (column.data, column.protocol) or manifest.model not in model.names:
        return False
    if manifest.resolution != (column.resolution or model.resolution):
        return False
    built = manifest.config.get("model")
    return all(_setting(built, key) == value for key, value in model.settings.items())


def _setting(config: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def _compared(
    table: Table,
    row: Row,
    column: PrintedColumn,
    printed: Mapping[str, PublishedNumber],
    numbers: Sequence[PublishedNumber],
    others: Sequence[Rerun],
) -> Iterator[Comparison]:
    for metric, number in printed.items():
        mean = row.estimates[metric].mean if metric in row.estimates else None
        if mean is None:
            continue
        unit = table.info.metrics[metric].unit
        published = number.value_in(unit)
        allowed = tolerance(number, unit=unit, numbers=numbers, others=others)
        verdict, because = _verdict(row, column, abs(mean - published) <= allowed.value)
        yield Comparison(
            row=row,
            metric=metric,
            unit=unit,
            printed=number,
            published=published,
            measured=mean,
            difference=mean - published,
            allowed=allowed,
            verdict=verdict,
            because=because,
            others=tuple(
                one
                for one in others
                if (one.paper, one.dataset, one.checkpoint, one.protocol, one.metric)
                == (number.paper, number.dataset, number.checkpoint, number.protocol, number.metric)
            ),
        )


def _verdict(row: Row, column: PrintedColumn, near: bool) -> tuple[Verdict, str]:
    if row.unranked:
        return "no verdict", ", ".join(row.unranked)
    if near:
        return "reproduced", ""
    if column.unreachable:
        return "not reachable", column.unreachable
    return "deviates", ""
