"""Numbers that papers and repositories print, to be put beside measured ones."""

import csv
import dataclasses
from pathlib import Path

from src.core.errors import RecordsError

_FOLDER = Path(__file__).parent / "papers"

_FACTORS = {
    ("percent", "fraction"): 0.01,
    ("fraction", "percent"): 100.0,
    ("m", "cm"): 100.0,
    ("cm", "m"): 0.01,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNumber:
    """One printed number.

    Attributes:
        paper: who printed it; not always who made the model.
        model: the model, "_unspecified" where the variant is not stated.
        checkpoint: release file, hub id or the paper's words.
        dataset: data set, or "avg6" and the like for a mean over that many sets; "speed" and "model" for numbers
            that are no accuracies.
        split: which part of it, its crop, range and count, in the source's words.
        protocol: the protocol of this project that scores the same way; "" where the source does not settle which.
        alignment: how predictions were aligned, in the source's words.
        metric: name of a metric of this project, or a quantity that is none (latency_ms, params_m, fps).
        value: as printed.
        unit: of the value as printed.
        source: paper and table, or repository, commit and file; "secondary" for transcriptions and user reports.
    """

    paper: str
    model: str
    checkpoint: str
    dataset: str
    split: str
    protocol: str
    alignment: str
    metric: str
    value: float
    unit: str
    source: str

    def value_in(self, unit: str) -> float:
        """Return the value in another unit, such as that of the measured number.

        Raises:
            RecordsError: if the printed unit cannot be converted to it.
        """
        if unit == self.unit:
            return self.value
        if (self.unit, unit) not in _FACTORS:
            msg = f"{self.paper}, {self.metric}: expected a unit that {self.unit!r} converts to, got {unit!r}"
            raise RecordsError(msg)
        return self.value * _FACTORS[self.unit, unit]


def published_numbers(folder: Path = _FOLDER) -> tuple[PublishedNumber, ...]:
    """Read the printed numbers, one file per paper, in the order of the files' names.

    Raises:
        RecordsError: if a file lacks a column or a value is no number.
    """
    return tuple(number for path in sorted(folder.glob("*.csv")) for number in _read(path))


def _read(path: Path) -> list[PublishedNumber]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [PublishedNumber(paper=path.stem, value=float(row.pop("value")), **row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        columns = [field.name for field in dataclasses.fields(PublishedNumber) if field.name != "paper"]
        msg = f"{path}: expected the columns {', '.join(columns)} with a number as value, but {error}"
        raise RecordsError(msg) from error
