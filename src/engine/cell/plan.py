"""What a cell needs to run, built and found to fit together; nothing on disk is touched for it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from omegaconf import OmegaConf

from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.engine.cell.build import Builder, build_protocols
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.manifest import model_card
from src.engine.cell.measurement import prediction
from src.engine.cell.request import CellRequest
from src.engine.cell.rescore import Replay, find_source
from src.engine.process.session import Session
from src.engine.scoring.batch_size import BatchSizeSearch
from src.engine.scoring.meter import Meter
from src.engine.scoring.saved_predictions import PredictionWriter
from src.engine.scoring.scoring import ScoringCallback
from src.protocol.evaluation import EvalProtocol
from src.records.table import Scored


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parts of a run.

    Attributes:
        model: that predicts, or stands in for one.
        datamodule: that serves the images.
        sample_ids: of all images, in order of their index.
        card: of the model; {} if it has none.
        protocols: that score it, by name.
        not_applicable: names of those that were asked for and cannot.
        scoring: takes the predictions.
        trainer: runs it all.
    """

    model: LightningModule
    datamodule: LightningDataModule
    sample_ids: tuple[str, ...]
    card: dict[str, Any]
    protocols: dict[str, EvalProtocol]
    not_applicable: list[str]
    scoring: ScoringCallback
    trainer: Trainer

    @property
    def rescored_from(self) -> str:
        """Name the cell whose saved predictions are scored in place of a model; "" if none."""
        return self.model.source.manifest.fingerprint if isinstance(self.model, Replay) else ""

    def predict(self, kept: Mapping[str, Scored] | None = None) -> None:
        """Score what an earlier, interrupted run has not; only process 0 knows what that is and tells the others."""
        self.scoring.kept = kept or {}
        done: list[int] = next(
            (scored.index.tolist() for scored in self.scoring.kept.values()), []
        )  # alike for all protocols
        self.datamodule.done = frozenset(done)  # type: ignore[attr-defined]
        self.trainer.predict(self.model, datamodule=self.datamodule, return_predictions=False)


def make_plan(request: CellRequest, build: Builder, folder: Path, loaded: LoadedModel) -> Plan:
    """Build all parts of a cell and make sure that they fit together.

    Args:
        request: what is asked for.
        build: makes the parts.
        folder: of the cell.
        loaded: has the model of the cell before, and keeps this one's.

    Raises:
        ConfigError: if parts cannot be built, or no protocol can score this model on these data.
    """
    run = request.run
    model = Replay(find_source(request, build, folder)) if run.rescore else loaded.get(build)
    datamodule = build.datamodule()
    sample: Sample = datamodule.example()  # type: ignore[attr-defined]
    protocols, not_applicable = _applicable(build.protocols(), model.space, sample)
    scoring = ScoringCallback(
        protocols=protocols,
        folder=folder,
        panels=run.panels,
        sync_seconds=run.sync_seconds,
        predictions=_prediction_writer(request, folder, model.space),
        meter=Meter(folder, profile=run.profile),
    )
    if isinstance(model, Replay):
        scoring.seconds = model.seconds()
    session = Session(
        fingerprint=request.measured.fingerprint,
        precision=request.measured.precision,
        channels_last=request.measured.channels_last,
    )
    trainer = build.trainer([BatchSizeSearch(), scoring, session])
    refuse_relaunch_in_sweep(trainer)
    return Plan(
        model=model,
        datamodule=datamodule,
        sample_ids=datamodule.sample_ids,  # type: ignore[attr-defined]
        card=model_card(request),
        protocols=protocols,
        not_applicable=not_applicable,
        scoring=scoring,
        trainer=trainer,
    )


def refuse_relaunch_in_sweep(trainer: Trainer) -> None:
    """Refuse a trainer that would start this command, sweep and all, once for every device.

    Raises:
        ConfigError: with the trainers that work.
    """
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if in_sweep and isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        msg = (
            "a sweep (-m) cannot use a trainer that starts one process per device from the command line, since every "
            "process would walk the whole sweep; use trainer=ddp_spawn, or one device per cell with "
            "hydra/launcher=joblib"
        )
        raise ConfigError(msg)


def _prediction_writer(request: CellRequest, folder: Path, space: OutputSpace) -> PredictionWriter | None:
    if request.run.save_predictions is None:
        return None
    if request.run.rescore:
        msg = "rescore=true scores predictions that are saved already; leave save_predictions out"
        raise ConfigError(msg)
    about = {
        "space": space.value,
        "fingerprint": request.measured.of_prediction,
        "settings": prediction(request.measured.resolved),
    }
    return PredictionWriter(folder, precision=request.run.save_predictions, about=about)


def _applicable(
    protocols: Mapping[str, EvalProtocol], space: OutputSpace, sample: Sample
) -> tuple[dict[str, EvalProtocol], list[str]]:
    """Part the requested protocols into those that can score this model on this data and the names of the others."""
    applicable = {name: protocol for name, protocol in protocols.items() if _applies(protocol, space, sample)}
    if not applicable:
        others = ", ".join(_protocols_for(space, sample))
        msg = (
            f"none of the requested protocols ({', '.join(protocols)}) can score {space.value} predictions on this "
            f"data: expected one of {others}; `python -m src.protocols` says what they are"
        )
        raise ConfigError(msg)
    return applicable, [name for name in protocols if name not in applicable]


def _applies(protocol: EvalProtocol, space: OutputSpace, sample: Sample) -> bool:
    return protocol.supports(space) and protocol.applies_to(sample)


def _protocols_for(space: OutputSpace, sample: Sample) -> list[str]:
    """Return the names of all configured protocols that would apply."""
    sources = [Path(source.path) for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
    files = sorted(file for source in sources for file in (source / "protocol").glob("*.yaml"))
    return [
        name
        for file in files
        for name, protocol in build_protocols(OmegaConf.load(file)).items()  # type: ignore[arg-type]  # a mapping
        if _applies(protocol, space, sample)
    ]
