"""MapWriter: writes predictions to files while the trainer runs, in every process."""

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from lightning.pytorch import Callback, LightningModule, Trainer

from src.core.batch import Batch
from src.core.errors import ConfigError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.engine.prediction.map_files import FORMATS, write_colour, write_npy, write_ply, write_png16
from src.engine.scoring.deferred import Copied, Deferred, batches_ahead, beside
from src.records.schema import PREDICTIONS_FILE
from src.records.writer import write_json

log = logging.getLogger(__name__)

_ABOUT = "about"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What lies beside the files of one picture in `about/<id>.json`; written last, so the files are whole.

    Attributes:
        source: the picture's file.
        bytes, modified: size and time of change (ns) of that file: a picture that has changed is predicted again.
        changed: what was done to its stored pixels before prediction; "" if nothing.
        size: (height, width) of the maps.
        input_size: (height, width) of what the network saw.
        space: value of the `OutputSpace`.
        not_finite: number of pixels whose value is not finite.
        camera: (3, 3) intrinsics, given or predicted; None if there are none.
        files: format -> what it needs said, such as the scale of a 16-bit PNG.
    """

    source: str
    bytes: int
    modified: int
    changed: str
    size: tuple[int, int]
    input_size: tuple[int, int]
    space: str
    not_finite: int
    camera: list[list[float]] | None
    files: dict[str, dict[str, Any]]


def read_written(folder: Path, name: str) -> Written | None:
    """Return what was written for a picture; None if it was not, or not to the end."""
    try:
        content = json.loads((folder / _ABOUT / f"{name}.json").read_text(encoding="utf-8"))
        return Written(**{**content, **{key: tuple(content[key]) for key in ("size", "input_size")}})
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None


def is_current(folder: Path, name: str, source: Path, formats: Sequence[str]) -> bool:
    """Whether the picture has been predicted as it is now, and all its files of these formats are there."""
    written, now = read_written(folder, name), source.stat()
    return (
        written is not None
        and (written.bytes, written.modified) == (now.st_size, now.st_mtime_ns)
        and all(kind in written.files and _path(folder, kind, name).is_file() for kind in formats)
    )


def _path(folder: Path, kind: str, name: str) -> Path:
    # not with_suffix: what follows the last dot of an id is no suffix
    return folder / kind / f"{name}{FORMATS[kind]}"


class MapWriter(Callback):
    """Writes every predicted map in the requested formats, `<folder>/<format>/<id>`, and what they are.

    On CUDA a batch is written after the next one has been launched, so that the device computes meanwhile.

    Args:
        folder: of the predictions.
        formats: out of `FORMATS`.
        sources: the file of each picture by its id.
    """

    def __init__(self, *, folder: Path, formats: Sequence[str], sources: Mapping[str, Path]) -> None:
        self.folder = folder
        self.formats = tuple(formats)
        self.sources = sources
        self._launched: Deferred[tuple[tuple[Sample, Prediction, Copied], ...]] = Deferred(0)
        self._device = torch.device("cpu")

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that the weights are those of the predictions that lie here.

        Raises:
            ConfigError: if they are not: a branch of the hub has moved on, or a file was replaced.
        """
        self._device = pl_module.device
        self._launched = Deferred(batches_ahead(self._device))
        if not trainer.is_global_zero:
            return
        path = self.folder / PREDICTIONS_FILE
        stamp = json.loads(path.read_text(encoding="utf-8"))
        loaded = dataclasses.asdict(pl_module.provenance)  # type: ignore[call-overload]
        before = stamp.setdefault("provenance", loaded)
        if before != loaded:
            msg = (
                f"{self.folder} holds predictions of weights {before['weights']} {before['revision']}, which are now "
                f"{loaded['revision']}; choose another output=, or force=true to predict all of it again"
            )
            raise ConfigError(msg)
        write_json(path, stamp)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Have a batch brought to the host, and write the last one that is due."""
        predictions: tuple[Prediction, ...] = outputs
        copies = ((sample, one, Copied(one.values)) for sample, one in zip(batch, predictions, strict=True))
        for launched in self._launched.put(tuple(copies)):
            self._write_batch(launched)

    def _write_batch(self, launched: tuple[tuple[Sample, Prediction, Copied], ...]) -> None:
        for sample, prediction, copied in launched:
            maps = copied.read()[:, 0].float().numpy()
            with beside(self._device):
                for position in range(len(sample)):
                    self._write(sample, prediction, position, maps[position])

    def _write(self, sample: Sample, prediction: Prediction, position: int, values: Float32[np.ndarray, "h w"]) -> None:
        name = sample.sample_id[position]
        camera = prediction.intrinsics if sample.intrinsics is None else sample.intrinsics
        matrix = None if camera is None else camera[position].float().cpu().numpy()
        source = self.sources[name].stat()
        written = Written(
            source=str(self.sources[name]),
            bytes=source.st_size,
            modified=source.st_mtime_ns,
            changed=sample.slice[position],
            size=sample.size,
            input_size=prediction.input_size,
            space=prediction.space.value,
            not_finite=int(values.size - np.isfinite(values).sum()),
            camera=None if matrix is None else matrix.tolist(),
            files={
                kind: self._write_file(kind, sample, position, values, prediction.space, matrix)
                for kind in self.formats
            },
        )
        about = self.folder / _ABOUT / f"{name}.json"
        about.parent.mkdir(parents=True, exist_ok=True)
        write_json(about, dataclasses.asdict(written))

    def _write_file(
        self,
        kind: str,
        sample: Sample,
        position: int,
        values: Float32[np.ndarray, "h w"],
        space: OutputSpace,
        camera: Float32[np.ndarray, "3 3"] | None,
    ) -> dict[str, Any]:
        path = _path(self.folder, kind, sample.sample_id[position])
        path.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "npy":
                return write_npy(path, values)
            case "png16":
                return write_png16(path, values, space)
            case "colour":
                return write_colour(path, values, space)
            case _:
                if camera is None:
                    msg = (
                        f"no camera is known for {sample.sample_id[position]!r}, which a point cloud needs; set "
                        "field_of_view=<degrees> or intrinsics=[fx,fy,cx,cy], or choose a model that predicts one"
                    )
                    raise PredictionError(msg)
                image = sample.image[position].permute(1, 2, 0).cpu().numpy()
                metric = space is OutputSpace.METRIC_DEPTH
                return write_ply(path, values, image, camera, is_metric=metric)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is left."""
        for launched in self._launched.drain():
            self._write_batch(launched)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep the batch that is still to be written, if it can be."""
        try:
            self.on_predict_end(trainer, pl_module)
        except Exception as error:  # whatever it is, the run ends with what it failed of first
            log.warning("The batch before could not be kept either, and will be done again: %s", error)
