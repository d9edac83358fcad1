"""Stages: where the time of a run goes. Every moment belongs to one stage, so that they add up to the whole."""

import functools
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from rich import box
from rich.console import Console
from rich.table import Table

from src.alignment.base import Alignment
from src.engine.process.clock import synchronise
from src.protocol.evaluation import EvalProtocol
from src.records.schema import PROFILE_FILE, TRACE_FILE

STAGES = {
    "start_up": "the first batch's way to the device, and counting operations",
    "waiting": "for the loader, which reads and decodes ahead, and in the trainer's own loop",
    "transfer": "of batches to the device",
    "preprocess": "from bytes to what the network takes",
    "forward": "from the first call of the network to its last answer",
    "post": "from there to the prediction on the grid of the ground truth",
    "align": "fitting scale and shift, and applying them",
    "metrics": "errors of every image, and means",
    "records": "log, saved predictions",
    "panels": "pictures that are kept",
}
_TRACED = range(1, 4)  # batches; the first one pays for start-up


class Stages:
    """Attributes the time of one process to stages; the device is waited for at every border.

    Args:
        now: seconds from any origin.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.entered: Counter[str] = Counter()
        self.loading = 0.0
        self.reading = 0.0
        self.images = 0
        self._now = now
        self._device = torch.device("cpu")
        self._current: str | None = None
        self._since = 0.0
        self._alignments: deque[float] = deque()  # appended to by several threads
        self._undo = ExitStack()

    def enter(self, stage: str | None, *, ending: str | None = None) -> None:
        """Give the time since the last border to the stage that ends here.

        Args:
            stage: that begins; None for none.
            ending: what the stage that ends turns out to have been.
        """
        synchronise(self._device)
        now = self._now()
        if self._current is not None:
            self.seconds[ending or self._current] += now - self._since
        if stage is not None:
            self.entered[stage] += 1
        self._current, self._since = stage, now

    def watch(
        self, model: LightningModule, datamodule: LightningDataModule, protocols: Mapping[str, EvalProtocol]
    ) -> None:
        """Draw the borders inside what the trainer calls.

        Args:
            model: loaded, on its device.
            datamodule: of the run.
            protocols: by name.
        """
        self._device = model.device
        self._replace(
            datamodule, "transfer_batch_to_device", lambda method: self._within("transfer", "waiting", method)
        )
        networks: Sequence[torch.nn.Module] = getattr(model, "entry_points", ())
        if hasattr(model, "predict"):
            self._replace(
                model, "predict", lambda method: self._within("preprocess" if networks else "forward", None, method)
            )
        for network in networks:
            for handle in (
                network.register_forward_pre_hook(self._called),
                network.register_forward_hook(self._answered),
            ):
                self._undo.callback(handle.remove)
        for protocol in protocols.values():
            self._undo.callback(setattr, protocol, "alignment", protocol.alignment)
            protocol.alignment = _TimedAlignment(protocol.alignment, self._timed)  # type: ignore[assignment]

    def _replace(self, of: Any, name: str, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        setattr(of, name, by(getattr(of, name)))
        self._undo.callback(delattr, of, name)  # the method of its class shows again

    def leave(self) -> None:
        """End the last stage, and leave model, data and protocols as they were."""
        self.enter(None)
        self._undo.close()

    def _within(self, stage: str, after: str | None, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any, **keywords: Any) -> Any:
            self.enter(stage)
            result = function(*arguments, **keywords)
            if after is not None:
                self.enter(after)
            return result

        return run

    def _called(self, *_: Any) -> None:
        # what happened since the network's last answer for these images lay between two of its calls
        self.enter("forward", ending="forward" if self._current == "post" else None)

    def _answered(self, *_: Any) -> None:
        self.enter("post")

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any, **keywords: Any) -> Any:
            start = self._now()
            result = function(*arguments, **keywords)
            synchronise(self._device)
            self._alignments.append(self._now() - start)
            return result

        return run

    @contextmanager
    def scoring(self, images: int) -> Iterator[None]:
        """Part the time of scoring so many images into `align` and `metrics`.

        On the CPU images are scored on threads side by side; alignment has the share of the time that it had on them.
        """
        self._alignments.clear()
        self.enter("metrics")
        before = self.seconds["metrics"]
        yield
        self.enter("records")
        whole = self.seconds["metrics"] - before
        threads = min(torch.get_num_threads(), images) if self._device.type == "cpu" else 1
        aligning = min(sum(self._alignments) / max(threads, 1), whole)
        self.seconds["align"] += aligning
        self.seconds["metrics"] -= aligning
        self.entered["align"] += 1

    def loaded(self, images: int, seconds: float, *, reading: float) -> None:
        """Count a batch of so many images.

        Args:
            images: in it.
            seconds: that a loading process took to read and decode them.
            reading: of these, seconds that it took to read their files.
        """
        self.images += images
        self.loading += seconds
        self.reading += reading

    def summary(self) -> dict[str, Any]:
        """Return plain values: seconds and entries by stage, their total, and what the loader did meanwhile."""
        total = sum(self.seconds.values())
        return {
            "images": self.images,
            "seconds": total,
            "stages": {stage: {"seconds": self.seconds[stage], "entered": self.entered[stage]} for stage in STAGES},
            "loader": {
                "seconds": self.loading,
                "read": self.reading,
                "decode": self.loading - self.reading,
                "waiting_share": self.seconds["waiting"] / total if total else 0.0,
            },
        }


class _TimedAlignment:
    """An alignment whose arithmetic is timed."""

    def __init__(self, alignment: Alignment, timed: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self.fit = timed(alignment.fit)
        self.apply = timed(alignment.apply)
        self._alignment = alignment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._alignment, name)


class Trace:
    """A trace of torch's profiler over a few batches, for chrome://tracing or Perfetto."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TRACE_FILE
        self._batch = -1
        self._profiler: torch.profiler.profile | None = None

    def batch(self) -> None:
        """Say that a batch starts."""
        self._batch += 1
        if self._batch == _TRACED.start:
            self._profiler = torch.profiler.profile()
            self._profiler.start()
        elif self._batch == _TRACED.stop:
            self.close()

    def close(self) -> None:
        """Write what was traced."""
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler.export_chrome_trace(str(self._path))
            self._profiler = None


def print_profile(folder: Path, console: Console) -> None:
    """Print where the time of a cell went, process by process."""
    for rank, profile in enumerate(json.loads((folder / PROFILE_FILE).read_text(encoding="utf-8"))):
        total, images = profile["seconds"], max(profile["images"], 1)
        table = Table(title=f"where the time went, process {rank}", box=box.SIMPLE)
        for heading, side in (("stage", "left"), ("seconds", "right"), ("ms / image", "right"), ("share", "right")):
            table.add_column(heading, justify=side)  # type: ignore[arg-type]
        table.add_column("what", style="dim")
        for stage, spent in profile["stages"].items():
            seconds = spent["seconds"]
            shares = (f"{seconds:.2f}", f"{1000 * seconds / images:.1f}", f"{seconds / total:.1%}" if total else "–")
            table.add_row(stage, *shares, STAGES[stage])
        table.add_section()
        table.add_row("all", f"{total:.2f}", f"{1000 * total / images:.1f}", "", f"{profile['images']} images")
        console.print(table)
        read, decode = (1000 * profile["loader"][part] / images for part in ("read", "decode"))
        console.print(
            f"reading files took {read:.1f} and decoding them {decode:.1f} ms an image, mostly meanwhile; waiting took "
            f"{profile['loader']['waiting_share']:.1%} of the time",
            highlight=False,
        )
