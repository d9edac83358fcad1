"""ScoringCallback: scores predictions while the trainer runs, in every process, and writes the records."""

import contextlib
import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from src.core.aligned import Aligned
from src.core.batch import Batch
from src.core.errors import ConfigError
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.engine.process.allocation import keep_freed_memory
from src.engine.process.clock import Clock
from src.engine.process.cost import count_operations, forget_peak, peak_memory
from src.engine.process.environment import device_name, make_repeatable, quieten
from src.engine.process.interrupt import Interrupt
from src.engine.process.processes import Others
from src.engine.scoring.panels import PanelWriter, judge
from src.engine.scoring.rows import scored_rows, skipped_rows
from src.engine.scoring.saved_predictions import PredictionWriter
from src.engine.scoring.stages import Stages, Trace
from src.protocol import EvalProtocol, ProtocolMetric
from src.records.table import Scored, from_records
from src.records.writer import RecordWriter, finite, write_json


def rank_report(folder: Path, rank: int) -> Path:
    """Where process `rank` leaves what only it knows: timings, device, provenance and the means it computed."""
    return folder / f"rank{rank}.json"


class ScoringCallback(Callback):
    """Scores every batch under every protocol, in one pass of inference.

    Args:
        protocols: by name; all of them support the model's output space.
        folder: of the cell.
        fingerprint: of the measurement; processes that disagree on it refuse to score together.
        panels: number of images spread over the split whose pictures are kept, besides the worst, median and best.
        sync_seconds: see `RecordWriter`.
        predictions: keeps every prediction, if given.
        precision: of the network's arithmetic, see `make_repeatable`.
        profile: whether to find out where the time goes; "trace" to write torch's own trace too.

    Attributes:
        kept: what an earlier, interrupted run of this cell has scored, by protocol.
        seconds: inference time of images that were predicted before, by sample id; others are timed now.
    """

    def __init__(
        self,
        *,
        protocols: Mapping[str, EvalProtocol],
        folder: Path,
        fingerprint: str,
        panels: int,
        sync_seconds: float,
        predictions: PredictionWriter | None = None,
        precision: str,
        profile: bool | str = False,
    ) -> None:
        self.protocols = dict(protocols)
        self.folder = folder
        self.fingerprint = fingerprint
        self.panels = panels
        self.sync_seconds = sync_seconds
        self.predictions = predictions
        self.seconds: Mapping[str, float] = {}
        self.precision = precision
        self.stages = Stages() if profile else None
        self._trace = Trace(folder) if profile == "trace" else None
        self.kept: Mapping[str, Scored] = {}
        self._metrics = {name: ProtocolMetric(protocol) for name, protocol in self.protocols.items()}
        self._clock = Clock()
        self._operations: int | None = None
        self._interrupt = Interrupt()
        self._others: Others | None = None
        self._writer: RecordWriter | None = None
        self._panels: PanelWriter | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that all processes compute the same measurement, share what is done, make arithmetic repeatable."""
        agreed = trainer.strategy.broadcast(self.fingerprint)
        if agreed != self.fingerprint:
            msg = (
                f"process {trainer.global_rank} was given measurement {self.fingerprint}, process 0 {agreed}: their "
                "command lines differ; start all processes with the same one"
            )
            raise ConfigError(msg)
        done: list[int] = next((scored.index.tolist() for scored in self.kept.values()), [])  # alike for all protocols
        trainer.datamodule.done = frozenset(trainer.strategy.broadcast(done))  # type: ignore[attr-defined]
        quieten()
        keep_freed_memory()
        make_repeatable(self.precision, trainer.strategy.root_device)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open this process's file of records."""
        self._others = Others(trainer)
        self._interrupt.watch(self._others.unobserve)
        pl_module.halved = 0  # type: ignore[assignment]  # counts those of this cell
        if self.predictions is not None and trainer.is_global_zero:
            self.predictions.open(_provenance(pl_module))
        self._writer = RecordWriter(self.folder, trainer.global_rank, seconds=self.sync_seconds)
        total = len(trainer.datamodule.sample_ids)  # type: ignore[attr-defined]
        self._panels = PanelWriter(self.folder, count=self.panels, total=total)
        if self.kept:
            self._panels.resume(self.judge(self.kept))
        for name, metric in self._metrics.items():
            metric.to(pl_module.device)
            if trainer.is_global_zero and name in self.kept:
                metric.restore(self.kept[name])
        forget_peak(pl_module.device)
        self._enter("start_up")

    def on_predict_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, *_: Any) -> None:
        """Start the clock of the batch, once the operations of a first image have been counted."""
        if self._operations is None and len(batch):
            self._operations = count_operations(pl_module, batch.samples[0]) if trainer.is_global_zero else 0
            if self.stages is not None:
                self.stages.watch(pl_module, trainer.datamodule, self.protocols)  # type: ignore[attr-defined]
        if self._trace is not None:
            self._trace.batch()
        self._clock.start(pl_module.device)

    def _enter(self, stage: str) -> None:
        if self.stages is not None:
            self.stages.enter(stage)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        *_: Any,
    ) -> None:
        """Score a batch: errors on the device, one transfer per image size, records to disk."""
        images = sum(len(sample) for sample in batch)
        seconds = self._clock.inferred(pl_module.device) / max(images, 1)  # a process may have one empty batch
        predictions: tuple[Prediction, ...] = outputs
        assert self._writer is not None  # noqa: S101  # opened in on_predict_start
        assert self._panels is not None  # noqa: S101  # likewise
        for sample, prediction in zip(batch, predictions, strict=True):
            with self.stages.scoring(len(sample)) if self.stages is not None else contextlib.nullcontext():
                scores = {name: protocol.evaluate(prediction, sample) for name, protocol in self.protocols.items()}
                for name, metric in self._metrics.items():
                    metric.update(scores[name], sample)
            timed = [self.seconds.get(name, seconds) for name in sample.sample_id]
            rows = scored_rows(self.protocols, sample, prediction, scores, timed)
            if self.predictions is not None:  # before the records, which say that the image is done
                self.predictions.write(sample, prediction)
            self._enter("panels")
            self._panels.offer(sample, self.judge(from_records(rows)), partial(self._align, prediction, sample))
            self._enter("records")
            self._writer.write(rows)
            self._enter("panels")
            self._panels.settle()
        self._enter("records")
        self._writer.write(row for image in batch.unreadable for row in skipped_rows(self.protocols, image))
        self._clock.finished(images)
        if self.stages is not None:
            self.stages.loaded(images, batch.seconds, reading=batch.reading_seconds)
        self._enter("waiting")
        self._interrupt.check()

    def judge(self, scores: Mapping[str, Scored]) -> dict[int, float]:
        """Return how bad images are by the first metric of the first protocol: index -> value, larger for worse."""
        name, protocol = next(iter(self.protocols.items()))
        metric = protocol.metrics[0]
        return judge(scores[name], metric=metric.name, higher_is_better=bool(metric.higher_is_better))

    def _align(self, prediction: Prediction, sample: Sample) -> dict[str, Aligned]:
        return {name: protocol.align(prediction, sample) for name, protocol in self.protocols.items()}

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the file and leave this process's report; returns when every process has done so."""
        if self.stages is not None:
            self.stages.leave()
        means = {
            name: {key: finite(float(value)) for key, value in metric.compute().items()}
            for name, metric in self._metrics.items()
        }
        report = {
            "world_size": trainer.world_size,
            "device": device_name(pl_module.device),
            "images": self._clock.images,
            "seconds": self._clock.seconds,
            "latencies": self._clock.latencies,
            "peak_memory": peak_memory(pl_module.device),
            "operations": self._operations or 0,
            "profile": None if self.stages is None else self.stages.summary(),
            "means": means,
            "halved": pl_module.halved,
            "batch_size": trainer.datamodule.batch_size,  # type: ignore[attr-defined]
            "batch_trials": trainer.datamodule.batch_trials,  # type: ignore[attr-defined]
            "provenance": _provenance(pl_module),
        }
        self._close()
        write_json(rank_report(self.folder, trainer.global_rank), report)
        trainer.strategy.barrier()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what was scored so far, and stop the other processes."""
        self._close()
        if self._others is not None:
            self._others.stop()

    def _close(self) -> None:
        self._interrupt.unwatch()
        if self.stages is not None:
            self.stages.leave()
        if self._trace is not None:
            self._trace.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _provenance(model: LightningModule) -> dict[str, Any]:
    """Where a model's numbers come from, as plain values."""
    known: Any = model.provenance
    return dict(known) if isinstance(known, Mapping) else dataclasses.asdict(known)
