"""Predictions of a cell kept on disk, `predictions/<sample id>.npz`, to be scored again without the model."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from src.core.errors import ConfigError, DataError, PredictionError
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.records.schema import PREDICTIONS_FILE, SAVED_PRECISIONS
from src.records.writer import write_json

FOLDER = "predictions"
_VALUES, _CAMERA = "values", "intrinsics"


def prediction_file(cell: Path, name: str) -> Path:
    """Where a cell keeps the prediction for an image."""
    # not with_suffix: what follows the last dot of an id is no suffix
    return cell / FOLDER / f"{name}.npz"


def is_whole(cell: Path, name: str) -> bool:
    """Whether the prediction for an image is there to its last byte, where .npz files have their table of contents."""
    try:
        with zipfile.ZipFile(prediction_file(cell, name)) as file:
            return f"{_VALUES}.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


class PredictionWriter:
    """Keeps every prediction of a run on the evaluation grid, before anything is fitted to the truth.

    A file is there whole or not at all when its process dies. It is not forced onto the disk one by one: what a power
    loss has damaged is found by `is_whole` and predicted again, or refused by its checksum when it is read.

    Args:
        cell: folder of the cell.
        precision: out of `SAVED_PRECISIONS`.
        about: what `predictions.json` says about them: the output space, and the settings that made them.

    Raises:
        ConfigError: on an unknown precision.
    """

    def __init__(self, cell: Path, *, precision: str, about: Mapping[str, Any]) -> None:
        if precision not in SAVED_PRECISIONS:
            msg = f"save_predictions: expected null, {' or '.join(SAVED_PRECISIONS)}, got {precision!r}"
            raise ConfigError(msg)
        self.precision = precision
        self._cell = cell
        self._about = {**about, "precision": precision, "key": _VALUES}

    def open(self, provenance: Mapping[str, Any]) -> None:
        """Claim the folder for these settings and weights; for one process.

        Raises:
            ConfigError: if an interrupted run has kept others there: in another precision, or of other weights.
        """
        path = self._cell / FOLDER / PREDICTIONS_FILE
        about = json.loads(json.dumps({**self._about, "provenance": dict(provenance)}))
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = [f"{key}: {before.get(key)} -> {about[key]}" for key in about if before.get(key) != about[key]]
            if changed:
                msg = (
                    f"{path.parent} holds predictions of an interrupted run that differ from those of this one "
                    f"({'; '.join(changed)}); set it as it was, or run the cell from the start with force=true"
                )
                raise ConfigError(msg)
        path.parent.mkdir(exist_ok=True)
        write_json(path, about)

    def write(self, sample: Sample, prediction: Prediction) -> None:
        """Keep the predictions for a batch.

        Raises:
            PredictionError: if float16 cannot hold a value.
        """
        values = prediction.values[:, 0].cpu().numpy()
        cameras = None if prediction.intrinsics is None else prediction.intrinsics.cpu().numpy()
        for position, name in enumerate(sample.sample_id):
            arrays = {_VALUES: self._stored(values[position], name)}
            if cameras is not None:
                arrays[_CAMERA] = cameras[position]
            path = prediction_file(self._cell, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.part")
            with part.open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy types its keywords as one more flag
            part.replace(path)

    def _stored(self, values: Float32[np.ndarray, "h w"], name: str) -> np.ndarray:
        if self.precision == "float32":
            return values
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if np.any(np.isinf(halves) & np.isfinite(values)):
            msg = (
                f"{name}: save_predictions=float16 holds values up to 65504, and the prediction reaches "
                f"{np.abs(values[np.isfinite(values)]).max():.6g}; save float32"
            )
            raise PredictionError(msg)
        return halves


def read_prediction(cell: Path, name: str) -> tuple[Float32[Tensor, "h w"], Float32[Tensor, "3 3"] | None]:
    """Return the values predicted for an image, and the camera if the model predicted one.

    Raises:
        DataError: if there is no such prediction or its file is damaged.
    """
    path = prediction_file(cell, name)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values = torch.from_numpy(arrays[_VALUES].astype(np.float32))
            camera = torch.from_numpy(arrays[_CAMERA]) if _CAMERA in arrays.files else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = (
            f"{path}: expected the saved prediction for {name!r}: {error}; run the cell that saved it again with "
            "force=true"
        )
        raise DataError(msg) from error
    return values, camera
