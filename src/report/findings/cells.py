"""Folders -> finished cells, checked against their own manifest, and the folders of cells that never finished."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from src.core.errors import RecordsError
from src.records.reader import Cell, find_cells, read_cell
from src.records.schema import CONFIG_FILE, MANIFEST_FILE, RECORDS_FILE

_STARTED = (CONFIG_FILE, RECORDS_FILE, "records.rank*.jsonl")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What lies at and below some folders.

    Attributes:
        cells: finished ones, at least one.
        unfinished: folders in which a run has started but not ended.
    """

    cells: tuple[Cell, ...]
    unfinished: tuple[Path, ...]


def find(roots: Sequence[Path]) -> Findings:
    """Read every cell at or below the given folders.

    Raises:
        RecordsError: if a folder does not exist, no cell is finished, or a file is broken or contradicts another one.
    """
    cells = tuple(read_cell(folder) for folder in find_cells(roots))
    unfinished = _find_unfinished(roots)
    if not cells:
        places = ", ".join(str(root) for root in roots)
        started = f" ({len(unfinished)} started but never finished)" if unfinished else ""
        msg = (
            f"{places}: expected at least one finished cell, a folder with {MANIFEST_FILE}, found none{started}; "
            "run python -m src.eval first, or name another folder"
        )
        raise RecordsError(msg)
    return Findings(cells=cells, unfinished=unfinished)


def _find_unfinished(roots: Sequence[Path]) -> tuple[Path, ...]:
    started = {file.parent for root in roots for pattern in _STARTED for file in root.rglob(pattern)}
    return tuple(
        sorted(
            folder
            for folder in started
            # hidden folders hold other programs' files, such as Hydra's own config.yaml
            if not (folder / MANIFEST_FILE).is_file() and not folder.name.startswith(".")
        )
    )
