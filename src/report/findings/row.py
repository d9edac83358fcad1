"""Row: one measurement under one protocol, as tables hold it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Literal

from src.records.aggregate import Estimate
from src.records.reader import Cell
from src.records.schema import RunManifest
from src.records.table import Scored

Domain = Literal["in-domain", "zero-shot", "unknown"]

FLOOR: Final = "floor, for reference"
"""Why a baseline that ignores the image competes with nobody."""
_FLOORS: Final = ("Constant", "Ramp", "Center")
_WITHOUT_NETWORK: Final = (*_FLOORS, "Oracle", "Saved")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell under one protocol, or several that differ in nothing but the seed.

    Attributes:
        cell: where the numbers come from; of several seeds the first, with the errors of each image averaged over them.
        protocol: its name.
        estimates: metric -> mean with uncertainty.
        unranked: the reasons why the row is not ranked; empty where it is.
        variant: what sets the cell apart from others of the same model and resolution, in any table; "" where nothing
            need be said.
        input_sizes: distinct (height, width) the network saw, in pixels.
        seeds: that it is the mean of, in ascending order; empty where it is one cell.
        deviations: metric -> sample standard deviation of the means over the seeds.
        same_as: names of other measurements of the model whose every number is the same, and that it stands for.
        alias: the name of the row that stands for it in other tables; "" for its own.
    """

    cell: Cell
    protocol: str
    estimates: Mapping[str, Estimate]
    unranked: tuple[str, ...]
    variant: str
    input_sizes: tuple[tuple[int, int], ...]
    seeds: tuple[int, ...] = ()
    deviations: Mapping[str, float] = dataclasses.field(default_factory=dict)
    same_as: tuple[str, ...] = ()
    alias: str = ""

    @property
    def manifest(self) -> RunManifest:
        """Of the cell."""
        return self.cell.manifest

    @property
    def scored(self) -> Scored:
        """Its images, in columns."""
        return self.cell.scores[self.protocol]

    @property
    def domain(self) -> Domain:
        """Whether the model was trained on the data set, by its card."""
        return domain(self.manifest)

    @property
    def name(self) -> str:
        """Model, resolution and whatever else it takes to tell the row from the others of its table."""
        asked = "" if self.manifest.resolution == "default" else f"at {self.manifest.resolution}"
        return self.alias or " ".join(part for part in (self.manifest.model, asked, self.variant) if part)


def domain(manifest: RunManifest) -> Domain:
    """Say whether the model of a cell was trained on its data set, by its card."""
    known = manifest.card.get("training_data")
    if not known or "unknown" in known or not manifest.data_family:
        return "unknown"
    return "in-domain" if manifest.data_family in known else "zero-shot"


def is_floor(manifest: RunManifest) -> bool:
    """Whether the model is a baseline that ignores the image."""
    return _class_of(manifest) in _FLOORS


def has_network(manifest: RunManifest) -> bool:
    """Whether a network predicted, so that the time of the run is that of a model."""
    return _class_of(manifest) not in _WITHOUT_NETWORK and not manifest.rescored_from


def _class_of(manifest: RunManifest) -> str:
    model: Any = manifest.config.get("model")
    return str(model.get("_target_", "")) if isinstance(model, dict) else ""
