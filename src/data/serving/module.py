"""DepthDataModule: serves one data set to the trainer, each image exactly once across processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from src.core.batch import Batch
from src.core.errors import ConfigError, DataError
from src.core.parent import watch_parent
from src.core.sample import Sample
from src.data.base import DepthDataset
from src.data.corruption.dataset import CorruptedDataset
from src.data.serving.shard import Shard
from src.data.serving.transfer import Transfer
from src.data.storage.archive import stamped_file
from src.data.storage.cache import DecodedCache

OnError = Literal["raise", "skip"]


class DepthDataModule(LightningDataModule):
    """Serves one data set to `trainer.predict`, as `Batch`es.

    Args:
        dataset: the split to serve.
        batch_size: images read per step and device; changes speed and memory, and of large networks the last digits,
            whose sums then come in another order (up to 4e-6, relatively). "auto": as many as `find_batch_size` says.
        num_workers: processes that decode ahead; 0 decodes in the main process.
        prefetch: batches that each of them keeps ready.
        limit: only the first so many images, or None for all; results of a limited run are marked and never ranked.
        on_error: what happens to an image whose files are missing or damaged. `raise` stops the run; `skip` hands the
            image on as unreadable. A set of another number of images than published is refused in any case.
        cache: folder where decoded images are kept for later runs, or None.
        corruption: what is done to the images, a name of `src.data.corruption`, or "none".
        severity: of the corruption, 1 to 5; of no effect without one.
    """

    def __init__(
        self,
        *,
        dataset: DepthDataset,
        batch_size: int | str,
        num_workers: int,
        prefetch: int,
        limit: int | None,
        on_error: str,
        cache: str | Path | None,
        corruption: str = "none",
        severity: int = 0,
    ) -> None:
        super().__init__()
        if num_workers < 0 or prefetch < 1 or (limit is not None and limit < 1):
            msg = (
                "expected num_workers >= 0, prefetch >= 1 and limit >= 1 or null, got "
                f"num_workers={num_workers}, prefetch={prefetch}, limit={limit}"
            )
            raise ConfigError(msg)
        if on_error not in ("raise", "skip"):
            msg = f"on_error: expected raise or skip, got {on_error!r}"
            raise ConfigError(msg)
        is_clean = corruption == "none"
        self.dataset = (
            dataset if is_clean else CorruptedDataset(dataset=dataset, corruption=corruption, severity=severity)
        )
        self.batch_size = _as_batch_size(batch_size)
        self.find_batch_size: Callable[[int], int] = _one_by_one
        """What decides on a `batch_size` of auto, given the number of images to serve. It is asked once, by every
        process, when the model is on its device and no batch has been put together."""
        self.batch_trials: dict[int, float] = {}
        """What it has tried: seconds that one image takes, by the number of images a step."""
        self.num_workers = num_workers
        self.prefetch = prefetch
        self.limit = limit
        self.skip = on_error == "skip"
        self.dataset.lists_incomplete = self.skip
        self.cache = None if cache is None else DecodedCache(Path(cache).expanduser())
        self.done: frozenset[int] = frozenset()
        """Positions of images that an earlier, interrupted run has scored; they are not served again."""
        self._transfer = Transfer()

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The ids this run is expected to score, in order."""
        return self.dataset.sample_ids[: self.limit]

    def files(self) -> Iterator[tuple[str, list[Path]]]:
        """Go over the images of this run and the files that each is made from, as far as the data set says.

        An image whose files are not there is left out.
        """
        for position, name in enumerate(self.sample_ids):
            try:
                stamps = self.dataset.stamps(position) or ()
            except DataError:
                continue
            yield name, [file for file in map(stamped_file, stamps) if file is not None]

    def example(self) -> Sample:
        """Return the first image that can be read; it shows what the data set is annotated with.

        Raises:
            DataError: if it cannot be read, or if images may be skipped and none of them can.
        """
        reasons = []
        for position in range(len(self.sample_ids)):
            try:
                return self.dataset[position]
            except DataError as error:
                if not self.skip:
                    raise
                reasons.append(str(error))
        msg = f"none of the {len(reasons)} images can be read; the first: {reasons[0]}"
        raise DataError(msg)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Build the loader of this rank's shard; called by Lightning."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        positions = [position for position in range(len(self.sample_ids)) if position not in self.done]
        if self.batch_size == "auto":
            self.batch_size = self.find_batch_size(len(positions[rank::world_size]))
        shard = Shard(
            self.dataset,
            positions=positions,
            batch_size=self.batch_size,
            rank=rank,
            world_size=world_size,
            skip=self.skip,
            cache=self.cache,
        )
        return DataLoader(
            shard,
            batch_size=None,
            num_workers=self.num_workers,
            prefetch_factor=self.prefetch if self.num_workers else None,
            collate_fn=_as_it_is,
            multiprocessing_context=_start_method() if self.num_workers else None,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_leave_signals_to_parent if self.num_workers else None,
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch to the device of its rank; Lightning's hook."""
        return self._transfer(batch, device)


def _as_batch_size(value: object) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    msg = f"batch_size: expected a whole number >= 1 or auto, got {value!r}"
    raise ConfigError(msg)


def _one_by_one(_images: int) -> int:
    return 1


def _as_it_is(batch: Any) -> Any:
    return batch  # the default would look for tensors in it to stack


def _leave_signals_to_parent(_worker: int) -> None:
    """Have a process that decodes ignore what asks to stop, and end with its parent.

    A scheduler tells all processes of a group at once, and the parent then wants the batch it is in the middle of.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    watch_parent(lambda: os.kill(os.getpid(), signal.SIGKILL))


def _start_method() -> str:
    """Return how decoding processes start: as this platform starts any.

    Not as this process was started: in a worker of joblib the current method is joblib's own, which torch's loader
    cannot use, and in a process of ddp_spawn it is spawn, by which each decoding process imports everything again.
    """
    return multiprocessing.get_all_start_methods()[0]
