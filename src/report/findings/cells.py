"""Folders -> finished cells, checked against their own manifest, and the folders of cells that never finished."""

import dataclasses
from collections import Counter
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
    cells = tuple(_checked(read_cell(folder)) for folder in find_cells(roots))
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


def _checked(cell: Cell) -> Cell:
    """Return the cell if its records are the ones that its manifest counts."""
    manifest = cell.manifest
    file = cell.folder / RECORDS_FILE
    found = Counter(
        (protocol, str(status)) for protocol, scored in cell.scores.items() for status in scored.status.tolist()
    )
    counts: dict[str, dict[str, int]] = {
        "ok": manifest.scored,
        "skipped": manifest.skipped,
        "failed": manifest.failed,
    }
    counted: Counter[tuple[str, str]] = Counter(
        {(protocol, status): counts[status].get(protocol, 0) for protocol in manifest.protocols for status in counts}
    )
    if found != counted:
        msg = (
            f"{file}: expected the records that {MANIFEST_FILE} counts, {_listed(counted)}, got {_listed(found)}; "
            "run the cell again with force=true"
        )
        raise RecordsError(msg)
    for protocol, scored in cell.scores.items():
        if scored.errors.keys() != manifest.protocols[protocol].metrics.keys():
            msg = (
                f"{file}: expected the metrics {', '.join(manifest.protocols[protocol].metrics)} under {protocol}, "
                f"got {', '.join(scored.errors)}; run the cell again with force=true"
            )
            raise RecordsError(msg)
    return cell


def _listed(counts: Counter[tuple[str, str]]) -> str:
    return (
        ", ".join(f"{n} {status} under {protocol}" for (protocol, status), n in sorted(counts.items()) if n) or "none"
    )
