"""Meter: what one process of a cell costs: time, operations, memory, and where the time goes."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule

from src.core.batch import Batch
from src.engine.process.clock import Clock, Lap
from src.engine.process.cost import count_operations, forget_peak, peak_memory
from src.engine.process.environment import device_name
from src.engine.scoring.stages import Stages, Trace
from src.protocol.evaluation import EvalProtocol


class Meter:
    """Measures from the first batch to the last.

    Args:
        folder: of the cell, for torch's trace.
        profile: whether to find out where the time goes; "trace" to write torch's own trace too.
    """

    def __init__(self, folder: Path, *, profile: bool | str) -> None:
        self.stages = Stages() if profile else None
        self._trace = Trace(folder) if profile == "trace" else None
        self._clock = Clock()
        self._operations: int | None = None

    def begin(self, device: torch.device) -> None:
        """Start to look for the peak of memory."""
        forget_peak(device)
        self.enter("start_up")

    def batch(
        self,
        model: LightningModule,
        datamodule: LightningDataModule,
        protocols: Mapping[str, EvalProtocol],
        batch: Batch,
        *,
        counting: bool,
    ) -> None:
        """Start the clock of a batch, once the operations of a first image have been counted.

        Args:
            model: loaded, on its device.
            datamodule: of the run.
            protocols: by name.
            batch: on the device.
            counting: whether this process counts operations.
        """
        if self._operations is None and len(batch):
            self._operations = count_operations(model, batch.samples[0]) if counting else 0
            if self.stages is not None:
                self.stages.watch(model, datamodule, protocols)
        if self._trace is not None:
            self._trace.batch()
        self._clock.start(model.device)

    def inferred(self, device: torch.device) -> Lap:
        """Return the time of the batch's inference, which may still be going on."""
        return self._clock.inferred(device)

    def finished(self, batch: Batch, seconds: float) -> None:
        """End a batch whose inference took so many seconds; its results are on disk."""
        images = sum(len(sample) for sample in batch)
        self._clock.finished(images, seconds)
        if self.stages is not None:
            self.stages.loaded(images, batch.seconds, reading=batch.reading_seconds)

    def enter(self, stage: str) -> None:
        """Say that a stage begins."""
        if self.stages is not None:
            self.stages.enter(stage)

    def scoring(self, images: int) -> contextlib.AbstractContextManager[None]:
        """Say that so many images are scored within."""
        return contextlib.nullcontext() if self.stages is None else self.stages.scoring(images)

    def report(self, device: torch.device) -> dict[str, Any]:
        """Return plain values, once all batches are finished."""
        self._leave()
        return {
            "device": device_name(device),
            "images": self._clock.images,
            "seconds": self._clock.seconds,
            "latencies": self._clock.latencies,
            "peak_memory": peak_memory(device),
            "operations": self._operations or 0,
            "profile": None if self.stages is None else self.stages.summary(),
        }

    def close(self) -> None:
        """Write what was traced, and leave model, data and protocols as they were."""
        self._leave()
        if self._trace is not None:
            self._trace.close()

    def _leave(self) -> None:
        if self.stages is not None:
            self.stages.leave()
