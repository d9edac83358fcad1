"""What a process of a cell leaves to process 0 beside its records, in a file of its own."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule


def rank_report(folder: Path, rank: int) -> Path:
    """Where process `rank` leaves what only it knows: timings, device, provenance and the means it computed."""
    return folder / f"rank{rank}.json"


def provenance_of(model: LightningModule) -> dict[str, Any]:
    """Where a model's numbers come from, as plain values."""
    known: Any = model.provenance
    return dict(known) if isinstance(known, Mapping) else dataclasses.asdict(known)
