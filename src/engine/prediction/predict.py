"""Predict for pictures of the user's own: compose -> build -> predict -> maps in a folder."""

import dataclasses
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import RichProgressBar
from omegaconf import DictConfig
from rich.console import Console

from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from src.core.terminal import terminal
from src.engine.cell.build import Builder
from src.engine.cell.lock import sole_writer
from src.engine.cell.measurement import differences
from src.engine.cell.plan import refuse_relaunch_in_sweep
from src.engine.prediction.map_files import FORMATS
from src.engine.prediction.map_writer import MapWriter, Written, is_current, read_written
from src.engine.prediction.request import PredictionRequest, read_prediction_request
from src.engine.process.environment import git_revision, is_first_process, quieten, versions
from src.engine.process.session import Session
from src.engine.scoring.batch_size import BatchSizeSearch
from src.records.schema import PREDICTIONS_FILE
from src.records.writer import write_json

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A folder of predictions, complete.

    Attributes:
        folder: holds one folder for each format, and what was written in `about`.
        written: by id of the picture.
        kept: how many of them an earlier run has predicted.
    """

    folder: Path
    written: Mapping[str, Written]
    kept: int


def run_prediction(request: PredictionRequest, build: Builder, folder: Path) -> Predictions | None:
    """Predict for every picture, but for those that have been predicted with these settings.

    Args:
        request: what is asked for.
        build: makes the parts.
        folder: of the predictions.

    Returns:
        All predictions, or None in a process other than the first of a multi-process run.

    Raises:
        LeadlineError: for everything the user can mend.
    """
    quieten()
    run, formats = request.run, request.run.write
    model, datamodule = build.model(), build.datamodule()
    _check_formats(formats, model.space)  # type: ignore[arg-type]
    sources: dict[str, Path] = datamodule.dataset.files  # type: ignore[attr-defined]
    names: tuple[str, ...] = datamodule.sample_ids  # type: ignore[attr-defined]
    writer = MapWriter(folder=folder, formats=formats, sources=sources)
    session = Session(
        fingerprint=request.measured.fingerprint,
        precision=request.measured.precision,
        channels_last=request.measured.channels_last,
    )
    callbacks: list[Callback] = [BatchSizeSearch(), writer, session]
    if request.shows_progress:
        callbacks.append(RichProgressBar())
    trainer = build.trainer(callbacks)
    refuse_relaunch_in_sweep(trainer)

    def predict() -> int:
        current = (not run.force and is_current(folder, name, sources[name], formats) for name in names)
        done = [place for place, is_done in enumerate(current) if is_done]
        if len(done) < len(names):
            datamodule.done = frozenset(done)  # type: ignore[attr-defined]
            trainer.predict(model, datamodule=datamodule, return_predictions=False)
        return len(done)

    if not is_first_process():
        predict()
        return None
    with sole_writer(folder):
        _stamp(request, folder, model.space)  # type: ignore[arg-type]
        kept = predict()
    written = {name: read_written(folder, name) for name in names}
    return Predictions(folder=folder, written={name: one for name, one in written.items() if one}, kept=kept)


def _check_formats(formats: Sequence[str], space: OutputSpace) -> None:
    if "ply" in formats and space not in (OutputSpace.METRIC_DEPTH, OutputSpace.SCALE_INVARIANT_DEPTH):
        msg = (
            f"write: points in space need depth up to scale at least, and this model predicts {space.value}, whose "
            "unknown shift bends every plane; leave ply out or choose a metric model"
        )
        raise ConfigError(msg)


def _stamp(request: PredictionRequest, folder: Path, space: OutputSpace) -> None:
    """Claim the folder for these settings.

    Raises:
        ConfigError: if it holds predictions of others; says where they differ.
    """
    path = folder / PREDICTIONS_FILE
    settings = request.measured.resolved
    if path.is_file() and request.run.force:
        for name in (*FORMATS, "about"):
            shutil.rmtree(folder / name, ignore_errors=True)
        path.unlink()
    if path.is_file():
        changed = differences(json.loads(path.read_text(encoding="utf-8"))["settings"], settings)
        if changed:
            msg = (
                f"{folder} holds predictions of other settings ({'; '.join(changed[:5])}); choose another output=, or "
                "force=true to remove them"
            )
            raise ConfigError(msg)
        return
    write_json(
        path,
        {
            "space": space.value,
            "fingerprint": request.measured.fingerprint,
            "settings": dict(settings),
            "git_revision": git_revision(),
            "versions": versions(),
        },
    )


def predict_and_show(cfg: DictConfig, folder: Path) -> None:
    """Predict as a configuration asks for, and print what was predicted."""
    predictions = run_prediction(read_prediction_request(cfg), Builder(cfg), folder)
    if predictions is not None:
        print_predictions(predictions, terminal())


def print_predictions(predictions: Predictions, console: Console) -> None:
    """Say what was predicted, what is odd about it, and how it can be scored."""
    written = predictions.written
    console.print(
        f"{len(written) - predictions.kept} pictures predicted, {predictions.kept} were there", highlight=False
    )
    changed = [f"{name}: {one.changed}" for name, one in written.items() if one.changed]
    broken = [f"{name}: {one.not_finite} pixels" for name, one in written.items() if one.not_finite]
    for heading, lines in (("changed before prediction", changed), ("NOT FINITE", broken)):
        if lines:
            more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
            console.print(f"{heading}: {'; '.join(lines[:3])}{more}", highlight=False, markup=False)
    console.print(str(predictions.folder), soft_wrap=True, highlight=False, markup=False)
    if all("npy" in one.files for one in written.values()):
        words = f"model=saved model.folder={predictions.folder / 'npy'} data=folder"
        console.print(f"to score them: python -m src.eval {words} ...", soft_wrap=True, highlight=False, markup=False)
