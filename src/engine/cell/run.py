"""Run one cell: compose -> build -> predict and score -> records, summary, manifest."""

import dataclasses
import datetime
import logging
import math
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from omegaconf import DictConfig, OmegaConf

from src.core.errors import ConfigError, RecordsError
from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.engine.cell.build import build_datamodule, build_logger, build_model, build_protocols, build_trainer
from src.engine.cell.content import content_of, refuse_changed, summary_of
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.lock import sole_writer
from src.engine.cell.manifest import build_manifest, collect_reports, model_card
from src.engine.cell.measurement import measurement, prediction
from src.engine.cell.rescore import Replay, find_source
from src.engine.cell.resume import resume
from src.engine.cell.words import own_words
from src.engine.process.environment import is_first_process, quieten
from src.engine.process.session import Session
from src.engine.scoring.batch_size import BatchSizeSearch
from src.engine.scoring.meter import Meter
from src.engine.scoring.panels import PanelWriter
from src.engine.scoring.saved_predictions import PredictionWriter
from src.engine.scoring.scoring import ScoringCallback
from src.protocol import EvalProtocol
from src.records.aggregate import summarise
from src.records.fingerprint import fingerprint
from src.records.reader import Cell, is_complete, read_cell
from src.records.schema import CONFIG_FILE, CONTENT_FILE, PROFILE_FILE, SUMMARY_FILE
from src.records.status import note
from src.records.table import Scored
from src.records.writer import dump, merge, write_json, write_manifest

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a cell needs to run, built and found to fit together; nothing on disk has been touched for it."""

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


def run_cell(cfg: DictConfig, folder: Path, loaded: LoadedModel | None = None) -> Cell | None:
    """Score one model on one data variant, unless that has been done.

    Args:
        cfg: the composed configuration.
        folder: of the cell.
        loaded: has the model of the cell before, and keeps this one's; None to build it in any case.

    Returns:
        The complete cell, or None in a process other than the first of a multi-process run.

    Raises:
        LeadlineError: for everything the user can mend.
    """
    is_first = is_first_process()
    if is_complete(folder) and not cfg.force:
        return _finished(cfg, folder) if is_first else None
    started = _now()
    quieten()
    plan = _plan(cfg, folder, loaded or LoadedModel())
    if not is_first:
        plan.predict()
        return None
    with sole_writer(folder, wait=float(cfg.wait)) as lock, build_logger(cfg) as logger:
        if is_complete(folder) and not cfg.force:  # by the process that was waited for
            return _finished(cfg, folder)
        content = content_of(cfg, plan.datamodule, plan.model)
        kept = resume(
            cfg,
            folder,
            sample_ids=plan.sample_ids,
            protocols={name: protocol.version for name, protocol in plan.protocols.items()},
            rescored_from=plan.rescored_from,
            content=content,
        )
        summary = summary_of(content)
        del content  # a hundred bytes an image
        note(
            folder,
            state="running",
            command=shlex.join(own_words(HydraConfig.get().overrides.task)),
            expected=len(plan.sample_ids),
            protocols=len(plan.protocols),
            started=time.time(),
            rescored_from=plan.rescored_from,
        )
        OmegaConf.save(OmegaConf.create(OmegaConf.to_container(cfg, resolve=True)), folder / CONFIG_FILE)
        plan.predict(kept)
        lock.check()
        cell = _finish(cfg, folder, plan, summary, started)
        logger.publish(cell)
    return cell


def _finished(cfg: DictConfig, folder: Path) -> Cell:
    cell = read_cell(folder)
    refuse_changed(cfg, cell.manifest.content, of=f"{folder} is finished")
    log.info("Already finished, so nothing was run; force=true runs it again.")
    if cell.manifest.unreadable:
        log.warning("%d images could not be read then; force=true tries again.", cell.manifest.unreadable)
    if cfg.profile:
        log.warning("Nothing was timed, so there is no profile; force=true times it.")
    if cfg.save_predictions and not cell.manifest.saved_predictions:
        log.warning("Its predictions were not saved then; force=true predicts again and saves them.")
    return cell


def _profile(cfg: DictConfig) -> bool | str:
    if cfg.profile not in (False, True, "trace"):
        msg = f"profile: expected false, true or trace, got {cfg.profile!r}"
        raise ConfigError(msg)
    return cfg.profile  # type: ignore[no-any-return]


def _plan(cfg: DictConfig, folder: Path, loaded: LoadedModel) -> _Plan:
    _refuse_infinity(cfg)
    model = Replay(find_source(cfg, folder)) if cfg.rescore else loaded.get(cfg, build_model)
    datamodule = build_datamodule(cfg)
    sample: Sample = datamodule.example()  # type: ignore[attr-defined]
    protocols, not_applicable = _applicable(build_protocols(cfg), model.space, sample)  # type: ignore[arg-type]
    scoring = ScoringCallback(
        protocols=protocols,
        folder=folder,
        panels=cfg.panels,
        sync_seconds=float(cfg.sync_seconds),
        predictions=_prediction_writer(cfg, folder, model.space),  # type: ignore[arg-type]
        meter=Meter(folder, profile=_profile(cfg)),
    )
    if isinstance(model, Replay):
        scoring.seconds = model.seconds()
    session = Session(fingerprint=fingerprint(measurement(cfg)), precision=cfg.precision)
    trainer = build_trainer(cfg, [BatchSizeSearch(), scoring, session])
    refuse_relaunch_in_sweep(trainer)
    return _Plan(
        model=model,
        datamodule=datamodule,
        sample_ids=datamodule.sample_ids,  # type: ignore[attr-defined]
        card=model_card(cfg),
        protocols=protocols,
        not_applicable=not_applicable,
        scoring=scoring,
        trainer=trainer,
    )


def _prediction_writer(cfg: DictConfig, folder: Path, space: OutputSpace) -> PredictionWriter | None:
    if cfg.save_predictions is None:
        return None
    if cfg.rescore:
        msg = "rescore=true scores predictions that are saved already; leave save_predictions out"
        raise ConfigError(msg)
    predicted = prediction(cfg)
    about = {
        "space": space.value,
        "fingerprint": fingerprint(predicted),
        "settings": OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(predicted)), resolve=True),
    }
    return PredictionWriter(folder, precision=cfg.save_predictions, about=about)


def _finish(cfg: DictConfig, folder: Path, plan: _Plan, content: Mapping[str, Mapping[str, Any]], started: str) -> Cell:
    """Join what the processes have written, hold it against what they have computed, and close the cell."""
    reports = collect_reports(folder)
    scores = merge(folder, len(reports), plan.sample_ids, list(plan.protocols))
    summary = summarise(scores)
    _check_means(summary, reports[0]["means"])
    manifest = build_manifest(
        cfg,
        model=plan.model,
        datamodule=plan.datamodule,
        card=plan.card,
        protocols=plan.protocols,
        not_applicable=plan.not_applicable,
        scores=scores,
        reports=reports,
        content=content,
        started=started,
        finished=_now(),
    )
    if isinstance(plan.model, Replay):
        manifest = plan.model.credit(manifest)
    PanelWriter(folder, count=cfg.panels, total=len(plan.sample_ids)).close(plan.scoring.judge(scores))
    write_json(folder / SUMMARY_FILE, summary)
    if cfg.profile:
        write_json(folder / PROFILE_FILE, [report["profile"] for report in reports])
    write_manifest(folder, manifest)
    (folder / CONTENT_FILE).unlink(missing_ok=True)  # the manifest has what it comes to
    return Cell(folder=folder, manifest=manifest, scores=scores)


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
        for name, protocol in build_protocols(OmegaConf.create({"protocol": OmegaConf.load(file)})).items()
        if _applies(protocol, space, sample)
    ]


def _refuse_infinity(cfg: DictConfig) -> None:
    try:
        dump(measurement(cfg))
    except ValueError as error:
        msg = (
            "the configuration holds .inf or .nan, which the results (JSON) have no word for; write a number that no "
            "depth reaches, such as depth_range: [0.001, 1.0e+6]"
        )
        raise ConfigError(msg) from error


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


def _check_means(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]], means: Mapping[str, Mapping[str, Any]]
) -> None:
    """Hold the means of the records on disk against those the metrics computed across processes."""
    for protocol, estimates in summary.items():
        for metric, estimate in estimates.items():
            recorded, computed = estimate["mean"], means[protocol][metric]
            undefined = recorded is None or computed is None
            if recorded is not computed if undefined else not math.isclose(recorded, computed, rel_tol=1e-9):
                msg = (
                    f"{protocol} {metric}: the records' mean {recorded} differs from the metric's {computed}; this is "
                    "a defect of the software, please report it"
                )
                raise RecordsError(msg)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
