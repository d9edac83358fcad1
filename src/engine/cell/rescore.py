"""Score the saved predictions of a finished cell in place of its model."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule

from src.core.batch import Batch
from src.core.errors import ConfigError, DataError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.cell.build import Builder
from src.engine.cell.content import refuse_changed
from src.engine.cell.request import CellRequest
from src.engine.scoring.saved_predictions import FOLDER, read_prediction
from src.records.reader import Cell, is_complete, read_cell
from src.records.schema import PREDICTIONS_FILE, SAVED_PRECISIONS, RunManifest

log = logging.getLogger(__name__)

_OF_WEIGHTS = ("weights", "revision", "random_weights", "uses_ground_truth", "space_declared", "parameters", "settings")
_SPEED = ("batch_size", "batch_trials", "latency_median", "latency_p95", "peak_memory", "flops")
_OF_INFERENCE = ("device", "dtype", "compute", "images_per_second", "halved", *_SPEED)


class Replay(LightningModule):
    """Stands in for a model: returns what it predicted when the source cell was run.

    Args:
        source: a complete cell with saved predictions.

    Attributes:
        source: the same.
        space: of the predictions.
        provenance: of the weights that made them.
        halved: no batch is too large to be read.
    """

    halved = 0

    def __init__(self, source: Cell) -> None:
        super().__init__()
        self.source = source
        self.space = OutputSpace(source.manifest.output_space)
        self.provenance: Mapping[str, Any] = {name: getattr(source.manifest, name) for name in _OF_WEIGHTS}
        scored = next(iter(source.scores.values()))
        self._input_size: dict[str, tuple[int, int]] = {
            name: (height, width)
            for name, (height, width) in zip(scored.sample_id.tolist(), scored.input_size.tolist(), strict=True)
        }

    def seconds(self) -> dict[str, float]:
        """Inference time per image when it was predicted, by sample id."""
        scored = next(iter(self.source.scores.values()))
        return dict(zip(scored.sample_id.tolist(), scored.seconds.tolist(), strict=True))

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> tuple[Prediction, ...]:
        """Read the predictions for a batch; Lightning's hook."""
        return tuple(self._read(sample) for sample in batch)

    def _read(self, sample: Sample) -> Prediction:
        values, cameras = zip(*(read_prediction(self.source.folder, name) for name in sample.sample_id), strict=True)
        for name, found in zip(sample.sample_id, values, strict=True):
            if tuple(found.shape) != sample.size:
                msg = (
                    f"{name!r} is of {sample.size} pixels (height, width), its saved prediction of "
                    f"{tuple(found.shape)}: the data have changed since {self.source.folder} was run; run it again "
                    "with force=true"
                )
                raise DataError(msg)
        device = sample.depth.device
        return Prediction(
            values=torch.stack(values)[:, None].to(device),
            space=self.space,
            input_size=self._input_size[sample.sample_id[0]],
            intrinsics=None if cameras[0] is None else torch.stack(cameras).to(device),
        )

    def credit(self, manifest: RunManifest) -> RunManifest:
        """Say in the manifest of the new cell where its predictions come from, and with what they were made."""
        of_inference = {name: getattr(self.source.manifest, name) for name in _OF_INFERENCE}
        return dataclasses.replace(
            manifest,
            rescored_from=self.source.manifest.fingerprint,
            rescored_precision=self.source.manifest.saved_predictions,
            **of_inference,
        )


def find_source(request: CellRequest, build: Builder, folder: Path) -> Cell:
    """Find a finished cell whose saved predictions are those that this cell needs.

    They are if model, data, resolution, seed and corruption are the same. Of several that with the most digits is
    taken, then that with the most images.

    Args:
        request: what is asked for.
        build: makes its parts.
        folder: of the cell to be scored; its neighbours are the cells of the same model and data.

    Raises:
        ConfigError: if there is none.
    """
    wanted = request.measured.of_prediction
    neighbours = [cell for cell in sorted(folder.parent.iterdir()) if cell != folder and is_complete(cell)]
    fitting = [read_cell(cell) for cell in neighbours if _saved_as(cell) == wanted]
    usable = [cell for cell in fitting if cell.manifest.saved_predictions in SAVED_PRECISIONS]
    if not usable:
        msg = (
            f"rescore=true: none of the {len(neighbours)} other finished cells in {folder.parent} has saved "
            "predictions of this model, data, resolution, seed and corruption; run one with save_predictions=float32 "
            "first, under any protocol"
        )
        raise ConfigError(msg)
    best = max(usable, key=_worth)
    _require(best, request.images.limit)
    as_then = build.limited_to(best.manifest.config["limit"])
    refuse_changed(as_then, best.manifest.content, of=f"{best.folder} has predicted what is to be scored again")
    log.info("Scoring the %s predictions of %s.", best.manifest.saved_predictions, best.folder)
    return best


def _saved_as(cell: Path) -> str | None:
    """The fingerprint of what a cell has predicted and saved."""
    try:
        about = json.loads((cell / FOLDER / PREDICTIONS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(about["fingerprint"])


def _worth(cell: Cell) -> tuple[int, int]:
    return -SAVED_PRECISIONS.index(cell.manifest.saved_predictions), cell.manifest.expected


def _require(source: Cell, limit: int | None) -> None:
    if source.manifest.limited and (limit is None or limit > source.manifest.expected):
        msg = (
            f"rescore=true: {source.folder} has saved predictions of the first {source.manifest.expected} images only, "
            f"and limit={'null' if limit is None else limit} asks for more; set limit={source.manifest.expected}, or "
            "run the model on all images with save_predictions=float32"
        )
        raise ConfigError(msg)
