"""Rows of CSV that no spreadsheet computes and that steer no terminal."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from src.core.shown import cell


class Sheet:
    """Writes rows as csv.writer does, each text as `shown.cell` says.

    Args:
        file: opened with newline="".
        options: of csv.writer.
    """

    def __init__(self, file: Any, **options: Any) -> None:
        self._writer = csv.writer(file, **options)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([cell(value) for value in row])

    def writerows(self, rows: Iterable[Any]) -> None:
        """Write several rows."""
        for row in rows:
            self.writerow(row)


class NamedSheet(Sheet):
    """The same by the names of columns, as csv.DictWriter.

    Args:
        file: opened with newline="".
        columns: in their order.
    """

    def __init__(self, file: Any, columns: Sequence[str]) -> None:
        super().__init__(file)
        self._columns = columns

    def writeheader(self) -> None:
        """Write the names of the columns."""
        super().writerow(self._columns)

    def writerow(self, row: Mapping[str, Any]) -> None:  # type: ignore[override]  # as csv.DictWriter
        """Write one row; what it lacks is empty."""
        super().writerow([row.get(name, "") for name in self._columns])
