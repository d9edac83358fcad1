"""ScoringCallback: scores predictions while the trainer runs, in every process, and writes the records."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from src.core.batch import Batch
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.engine.process.clock import Lap
from src.engine.scoring.deferred import Copied, Deferred, batches_ahead, beside
from src.engine.scoring.keeping import Keeping
from src.engine.scoring.meter import Meter
from src.engine.scoring.panels import PanelWriter, judge
from src.engine.scoring.replayed import Result, replayed_scoring, score
from src.engine.scoring.report import provenance_of, rank_report
from src.engine.scoring.saved_predictions import PredictionWriter
from src.engine.scoring.sharing import shared_only
from src.protocol.aggregation import ProtocolMetric
from src.protocol.evaluation import EvalProtocol
from src.records.table import Scored
from src.records.writer import RecordWriter, finite, write_json

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A batch whose scoring the device has been asked for.

    Attributes:
        batch: as the model saw it.
        parts: each of its samples, the prediction for it, and the columns of its records.
        lap: the time of inference.
    """

    batch: Batch
    parts: tuple[tuple[Sample, Prediction, Copied], ...]
    lap: Lap


class ScoringCallback(Callback):
    """Scores every batch under every protocol, in one pass of inference.

    On CUDA the results of a batch are read and written after the next one has been launched, so that the device
    computes meanwhile; in the same order, and when the run is stopped too.

    Args:
        protocols: by name; all of them support the model's output space.
        folder: of the cell.
        panels: number of images spread over the split whose pictures are kept, besides the worst, median and best.
        sync_seconds: see `RecordWriter`.
        predictions: keeps every prediction, if given.
        meter: measures what the process costs.

    Attributes:
        kept: what an earlier, interrupted run of this cell has scored, by protocol.
        seconds: inference time of images that were predicted before, by sample id; others are timed now.
    """

    def __init__(
        self,
        *,
        protocols: Mapping[str, EvalProtocol],
        folder: Path,
        panels: int,
        sync_seconds: float,
        predictions: PredictionWriter | None = None,
        meter: Meter,
    ) -> None:
        self.protocols = dict(protocols)
        self.folder = folder
        self.panels = panels
        self.sync_seconds = sync_seconds
        self.predictions = predictions
        self.meter = meter
        self.seconds: Mapping[str, float] = {}
        self.kept: Mapping[str, Scored] = {}
        own = self.protocols.keys() - shared_only(self.protocols)
        self._metrics = {name: ProtocolMetric(self.protocols[name]) for name in self.protocols if name in own}
        self._launched: Deferred[Launched] = Deferred(0)
        self._ahead = 0
        self._score: Callable[[Prediction, Sample], Result] = partial(score, self.protocols)
        self._device = torch.device("cpu")
        self._keeping: Keeping | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open this process's file of records."""
        self._device = pl_module.device
        pl_module.halved = 0  # type: ignore[assignment]  # counts those of this cell
        if self.predictions is not None and trainer.is_global_zero:
            self.predictions.open(provenance_of(pl_module))
        total = len(trainer.datamodule.sample_ids)  # type: ignore[attr-defined]
        panels = PanelWriter(self.folder, count=self.panels, total=total)
        if self.kept:
            panels.resume(judge(self.protocols, self.kept))
        self._keeping = Keeping(
            folder=self.folder,
            protocols=self.protocols,
            records=RecordWriter(self.folder, trainer.global_rank, seconds=self.sync_seconds),
            panels=panels,
            predictions=self.predictions,
            meter=self.meter,
        )
        for name, metric in self._metrics.items():
            metric.to(self._device)
            if trainer.is_global_zero and name in self.kept:
                metric.restore(self.kept[name])
        if self.meter.stages is None:  # a profile waits for the device at the border of every stage
            self._ahead = batches_ahead(self._device)
            self._score = replayed_scoring(self.protocols)
        self.meter.begin(self._device)

    def on_predict_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, *_: Any) -> None:
        """Start the clock of the batch."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        self.meter.batch(pl_module, datamodule, self.protocols, batch, counting=trainer.is_global_zero)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Launch the scoring of a batch, and write the records of the last one that is due."""
        for launched in self._launched.put(self._launch(batch, outputs)):
            self._finish(launched)
        # the first one is read at once: speed is measured from its end, when the device must have nothing to do
        self._launched.ahead = self._ahead
        self.meter.enter("waiting")

    def _launch(self, batch: Batch, predictions: tuple[Prediction, ...]) -> Launched:
        """Ask the device for the errors of a batch, one transfer for each image size."""
        lap = self.meter.inferred(self._device)
        parts = []
        for sample, prediction in zip(batch, predictions, strict=True):
            with self.meter.scoring(len(sample)):
                scores, columns = self._score(prediction, sample)
                for name, metric in self._metrics.items():
                    metric.update(scores[name], sample)
            parts.append((sample, prediction, Copied(columns)))
        return Launched(batch=batch, parts=tuple(parts), lap=lap)

    def _finish(self, launched: Launched) -> None:
        """Put what a batch has given on disk."""
        assert self._keeping is not None  # noqa: S101  # opened in on_predict_start
        batch = launched.batch
        seconds = launched.lap.seconds()
        each = seconds / max(sum(len(sample) for sample in batch), 1)  # a process may have one empty batch
        for sample, prediction, columns in launched.parts:
            timed = [self.seconds.get(name, each) for name in sample.sample_id]
            values = columns.read()
            with beside(self._device):
                self._keeping.keep(sample, prediction, values, timed)
        self._keeping.skip(batch.unreadable)
        self.meter.finished(batch, seconds)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what is left, close the file and leave this process's report."""
        for launched in self._launched.drain():
            self._finish(launched)
        means = {
            name: {key: finite(float(value)) for key, value in metric.compute().items()}
            for name, metric in self._metrics.items()
        }
        report = {
            **self.meter.report(self._device),
            "world_size": trainer.world_size,
            "means": means,
            "halved": pl_module.halved,
            "batch_size": trainer.datamodule.batch_size,  # type: ignore[attr-defined]
            "batch_trials": trainer.datamodule.batch_trials,  # type: ignore[attr-defined]
            "provenance": provenance_of(pl_module),
        }
        self._close()
        write_json(rank_report(self.folder, trainer.global_rank), report)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what was scored so far, the batch that is still to be read too, if it can be read and written."""
        try:
            for launched in self._launched.drain():
                self._finish(launched)
        except Exception as error:  # whatever it is, the run ends with what it failed of first
            log.warning("The batch before could not be kept either, and will be done again: %s", error)
        finally:
            self._close()

    def _close(self) -> None:
        self.meter.close()
        if self._keeping is not None:
            self._keeping.close()
