"""Find the number of images a step with which a model is fastest, by trying (batch_size=auto)."""

import dataclasses
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from src.core.sample import Sample, concatenate
from src.engine.process.clock import synchronise
from src.engine.process.cost import forget_peak, peak_memory

log = logging.getLogger(__name__)

WITHOUT_A_NETWORK: Final = 4
"""Images a step where predictions are read from files, so that nothing is gained by trying: scored on threads."""
_GAIN = 0.05  # of the time of an image that twice as many must save: less is noise, and not worth the memory
_SHARE = 8  # as many images to do for each one tried: predicting 1, 2, 4 ... thrice takes 3/4 of the run at worst
_MOST_ON_CUDA = 64
_MOST_ELSEWHERE = 8  # the system kills a process that takes too much memory, without an error to stop at
SHARE_OF_MEMORY: Final = 0.75
"""Of a CUDA device's: the rest is for other shapes, for the allocator's gaps and for who else computes there."""
_REPEATS = 2, 5
_ENOUGH = 0.5  # seconds after which a number has been repeated enough


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search has found.

    Attributes:
        size: images a step.
        tried: seconds an image by every number tried.
        why: no more are taken.
    """

    size: int
    tried: dict[int, float]
    why: str


def try_sizes(
    seconds: Callable[[int], float], most: int, memory: Callable[[], float] = lambda: 0.0, share: float = 1.0
) -> Found:
    """Double the number of images a step for as long as that pays, and as the memory for it is there.

    Args:
        seconds: that a step of so many images takes; raises `torch.OutOfMemoryError` where they do not fit.
        most: images a step.
        memory: share of the device's memory that the last step took at its peak.
        share: of it that may be taken.
    """
    tried: dict[int, float] = {}
    taken: dict[int, float] = {0: 0.0}
    size = 1
    while size <= most:
        half = size // 2
        # twice as many images take twice what the second half of these took
        expected = taken[half] + 2 * (taken[half] - taken[half // 2]) if half > 1 else 0.0
        if expected > share:
            return Found(size=half, tried=tried, why=f"{size} would take {_percent(expected)} of the memory")
        try:
            tried[size] = seconds(size) / size
        except torch.OutOfMemoryError:
            return Found(size=max(half, 1), tried=tried, why=f"{size} do not fit into memory")
        taken[size] = memory()
        if taken[size] > share:
            return Found(size=max(half, 1), tried=tried, why=f"{size} take {_percent(taken[size])} of the memory")
        if size > 1 and tried[size] > tried[half] * (1 - _GAIN):
            return Found(size=half, tried=tried, why=f"{size} are hardly faster")
        size *= 2
    return Found(size=max(size // 2, 1), tried=tried, why=f"no more than {most} are tried here")


def _percent(share: float) -> str:
    return f"{share:.0%}"


class BatchSizeSearch(Callback):
    """Tells a data module that has its batch size to be found.

    Inference alone is timed, with copies of the data set's first image, on the device; all else costs an image the same
    in any batch. Every process tries, and the smallest number is taken by all: it fits and pays on every device, and
    processes that share a processor are timed as they will run.

    Args:
        now: seconds from any origin.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Offer the search to the data module, which asks when the model is on its device."""
        trainer.datamodule.find_batch_size = partial(self._find, trainer)  # type: ignore[attr-defined]

    def _find(self, trainer: Trainer, images: int) -> int:
        model, datamodule = trainer.lightning_module, trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(model, "predict"):
            return WITHOUT_A_NETWORK
        limit = _MOST_ON_CUDA if model.device.type == "cuda" else _MOST_ELSEWHERE
        most, size, why = min(images // _SHARE, limit), 1, "too few images to try"
        if most > 1:
            example = datamodule.example().to(model.device)
            taken = partial(_share_of_memory, model.device)
            found = try_sizes(partial(self._seconds, model, example), most, taken, SHARE_OF_MEMORY)
            size, datamodule.batch_trials, why = found.size, found.tried, found.why
            if model.device.type == "cuda":
                torch.cuda.empty_cache()  # of what only larger batches need
        agreed = int(trainer.strategy.reduce(torch.tensor(size, device=model.device), reduce_op="min"))
        if trainer.is_global_zero:
            tried = ", ".join(f"{size}: {seconds:.3g} s" for size, seconds in datamodule.batch_trials.items())
            log.info("batch_size=auto: %d (%s)", agreed, f"an image in a batch of {tried}; {why}" if tried else why)
        return agreed

    @torch.inference_mode()
    def _seconds(self, model: Any, example: Sample, size: int) -> float:
        """Return the shortest time of some runs, after one that pays for what is done once."""
        forget_peak(model.device)
        batch = concatenate([example] * size)
        runs: list[float] = []
        model.predict(batch)
        least, most = _REPEATS
        while len(runs) < least or (len(runs) < most and sum(runs) < _ENOUGH):
            synchronise(model.device)
            start = self._now()
            model.predict(batch)
            synchronise(model.device)
            runs.append(self._now() - start)
        return min(runs)


def _share_of_memory(device: torch.device) -> float:
    """Return the share of a CUDA device's memory that was taken at the peak; 0 of another device."""
    if device.type != "cuda":
        return 0.0
    return peak_memory(device) / torch.cuda.get_device_properties(device).total_memory
