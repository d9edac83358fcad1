"""Which cells reproduce which printed numbers, and what others measured when they tried.

A table of a paper is one file in `tables`: its models by the names of their yamls, its columns by data variant and
protocol, each with what the paper's rows are called. Nothing is matched by likeness: a number is compared only where
model, settings, resolution, data variant, protocol and metric are all as the file says.
"""

import csv
import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from src.core.errors import RecordsError
from src.records.published import PublishedNumber

_TABLES = Path(__file__).parent / "tables"
_RERUNS = Path(__file__).parent / "reruns.csv"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PrintedModel:
    """A row of a paper's table.

    Attributes:
        names: yaml names that stand for it.
        checkpoint: as in the published numbers.
        resolution: as on the command line.
        settings: what the model must have been built with, by dotted name.
    """

    names: tuple[str, ...]
    checkpoint: str
    resolution: str = "default"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PrintedColumn:
    """A column, or a few, of a paper's table.

    Attributes:
        dataset: as in the published numbers.
        data: the data variant that has its images, crop and range.
        protocol: the protocol that scores as the paper does.
        split: as in the published numbers, where the data set alone leaves a choice.
        resolution: as on the command line, where the column decides it and not the model.
        unreachable: why the printed numbers cannot be expected; "" where they can.
    """

    dataset: str
    data: str
    protocol: str
    split: str | None = None
    resolution: str | None = None
    unreachable: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One table of a paper.

    Attributes:
        name: of its file.
        title: for people.
        paper: whose published numbers they are.
        experiments: yaml names of the sweeps that fill it.
        models: its rows.
        columns: its columns.
        absent: data set -> why there is no column for it.
    """

    name: str
    title: str
    paper: str
    experiments: tuple[str, ...]
    models: tuple[PrintedModel, ...]
    columns: tuple[PrintedColumn, ...]
    absent: Mapping[str, str]

    def printed(
        self, model: PrintedModel, column: PrintedColumn, numbers: Iterable[PublishedNumber]
    ) -> dict[str, PublishedNumber]:
        """Return what the table prints for a model in a column, by metric.

        Raises:
            RecordsError: if it prints two numbers for one metric, so that the file does not say which is meant.
        """
        found: dict[str, PublishedNumber] = {}
        for number in numbers:
            if (
                (number.paper, number.checkpoint) != (self.paper, model.checkpoint)
                or (number.dataset, number.protocol) != (column.dataset, column.protocol)
                or column.split not in (None, number.split)
            ):
                continue
            if number.metric in found:
                msg = (
                    f"{self.name}.toml: expected one {number.metric} of {model.checkpoint!r} on {column.dataset}, got "
                    f"{found[number.metric].source!r} and {number.source!r}; name a split in the column"
                )
                raise RecordsError(msg)
            found[number.metric] = number
        return found


def paper_tables(folder: Path = _TABLES) -> tuple[PaperTable, ...]:
    """Read the tables, one file each, in the order of the files' names.

    Raises:
        RecordsError: if a file is not of that form.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> PaperTable:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        models = tuple(PrintedModel(names=tuple(one.pop("names")), **one) for one in content.pop("models"))
        columns = tuple(PrintedColumn(**one) for one in content.pop("columns"))
        absent = {one["dataset"]: one["because"] for one in content.pop("absent", [])}
        experiments = tuple(content.pop("experiments"))
        return PaperTable(
            name=path.stem, experiments=experiments, models=models, columns=columns, absent=absent, **content
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        msg = f"{path}: expected title, paper, experiments, models and columns, but {error}"
        raise RecordsError(msg) from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What somebody else measured.

    Attributes:
        model: yaml name.
        data: data variant; "moge_..." are MoGe's own copies of data sets.
        protocol: that scores alike.
        metric: of ours.
        setting: what else there is to say about the run.
        paper: that printed a number for the same thing, "" where none did.
        dataset: as in that paper's published numbers.
        checkpoint: likewise.
        value: measured.
        unit: of it.
        reached: whether the data were read as the paper reads them, as far as is known.
        source: who measured it.
    """

    model: str
    data: str
    protocol: str
    metric: str
    setting: str
    paper: str
    dataset: str
    checkpoint: str
    value: float
    unit: str
    reached: bool
    source: str


def reruns(path: Path = _RERUNS) -> tuple[Rerun, ...]:
    """Read what others measured.

    Raises:
        RecordsError: if the file lacks a column or a value is no number.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return tuple(
            Rerun(value=float(row.pop("value")), reached={"yes": True, "no": False}[row.pop("reached")], **row)
            for row in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        columns = [field.name for field in dataclasses.fields(Rerun)]
        msg = f"{path}: expected the columns {', '.join(columns)}, but {error}"
        raise RecordsError(msg) from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a measured number may lie from a printed one.

    Attributes:
        value: in the unit asked for: half a unit of the last printed digit, and what re-implementations differ by.
        rounding: that half unit.
        relative: that difference as a share of the printed number, or of what it lacks to 1 where more is better.
        because: where that share comes from, in words.
    """

    value: float
    rounding: float
    relative: float
    because: str


def tolerance(
    number: PublishedNumber, *, unit: str, numbers: Sequence[PublishedNumber], others: Sequence[Rerun]
) -> Tolerance:
    """Say how far from a printed number a faithful re-run may be expected, from the re-runs of others.

    Those of the same protocol on the same data set count if there are any, then those of the same protocol, then all of
    them; only where the data were read as the paper reads them. Of the first two kinds the largest difference counts,
    of the last one the upper quartile.

    Args:
        number: the printed one.
        unit: of the measured one.
        numbers: all printed ones.
        others: all re-runs.
    """
    known = _differences(numbers, others)
    same_set = [gap for rerun, gap in known if (rerun.protocol, rerun.dataset) == (number.protocol, number.dataset)]
    same_protocol = [gap for rerun, gap in known if rerun.protocol == number.protocol]
    if same_set:
        relative, because = max(same_set), f"{len(same_set)} re-run(s) of others on this data set"
    elif same_protocol:
        relative, because = max(same_protocol), f"{len(same_protocol)} re-run(s) of others under this protocol"
    else:
        relative = float(np.quantile([gap for _, gap in known], 0.75)) if known else 0.0
        because = f"upper quartile of {len(known)} re-runs of others under other protocols"
    printed = number.value_in(unit)
    # the ratio of errors, not of successes, is what carries over: 0.97 to 0.96 is a third more failures
    base = 1 - printed if number.metric.startswith("delta") and number.metric != "delta1_error" else abs(printed)
    if number.metric in ("pair_accuracy", "boundary_f1", "boundary_recall"):
        base = 1 - printed
    step = number.value_in(unit) / number.value if number.value else 1.0
    rounding = 0.5 * 10.0 ** -_decimals(number, numbers) * step
    return Tolerance(value=rounding + relative * base, rounding=rounding, relative=relative, because=because)


def _differences(numbers: Sequence[PublishedNumber], others: Sequence[Rerun]) -> list[tuple[Rerun, float]]:
    by_key = {
        (one.paper, one.dataset, one.checkpoint, one.protocol, one.metric): one for one in numbers if one.protocol
    }
    found = []
    for rerun in others:
        printed = by_key.get((rerun.paper, rerun.dataset, rerun.checkpoint, rerun.protocol, rerun.metric))
        if printed is not None and rerun.reached:
            value = printed.value_in(rerun.unit)
            found.append((rerun, abs(rerun.value - value) / value))
    return found


def _decimals(number: PublishedNumber, numbers: Iterable[PublishedNumber]) -> int:
    """Return how many decimals the paper prints of this metric; a trailing zero of one value is seen in others."""
    alike = [
        one.value
        for one in numbers
        if (one.paper, one.dataset, one.metric, one.unit) == (number.paper, number.dataset, number.metric, number.unit)
    ]
    return max((len(repr(value).partition(".")[2].rstrip("0")) for value in alike if math.isfinite(value)), default=0)
