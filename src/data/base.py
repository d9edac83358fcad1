"""DepthDataset and DepthDataModule: how files become batches, exactly once across processes."""

import abc
import collections
import dataclasses
import functools
import multiprocessing
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from src.core.errors import ConfigError, DataError
from src.core.sample import Sample, group_by_size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One decoded image with its ground truth, as numpy arrays.

    Attributes:
        image: (h, w, 3) uint8 sRGB; of another size than its depth it is refused by the data set, by name.
        depth: (h, w) float32 z-depth in metres; zero, negative or non-finite means not measured. None in ordinal sets,
            which have `point_pairs` instead: their points are the pixels that count.
        valid: (h, w) bool, pixels that may count (the variant's crop, the data set's own mask); None for all.
        intrinsics: (3, 3) float32, pixels, pixel centres at integer + 0.5; or None.
        group: slice of the split in reports; "" for none.
        edges, segments, plane_normals, point_pairs: as in `Sample`, without the batch axis.
    """

    image: UInt8[np.ndarray, "H W 3"]
    depth: Float32[np.ndarray, "h w"] | None
    valid: Bool[np.ndarray, "h w"] | None = None
    intrinsics: Float32[np.ndarray, "3 3"] | None = None
    group: str = ""
    edges: Bool[np.ndarray, "h w"] | None = None
    segments: Int64[np.ndarray, "h w"] | None = None
    plane_normals: Float32[np.ndarray, "p 3"] | None = None
    point_pairs: Int64[np.ndarray, "n 5"] | None = None


class DepthDataset(Dataset[Sample], abc.ABC):
    """Base of all data sets. A subclass sets `family` and `depth_range` and writes `index` and `read`.

    Its docstring is the data sheet: source, licence, counts, units, crop, range, citation.

    Args:
        depth_range: (nearest, farthest) in metres; ground truth must lie strictly between them to count.

    Attributes:
        depth_range: the same, as protocols clip predictions to it.
        valid_range: the same for ground truth; a subclass may set another one, where published numbers clip predictions
            to a range that ground truth need not lie in.
    """

    family: str = ""
    """The data set that all variants are of, in lower case, as model cards list what a model was trained on: `nyu`,
    `kitti`. Empty where that is not known, which leaves open whether a model has seen it."""

    def __init__(self, *, depth_range: Sequence[float]) -> None:
        self.depth_range = as_range("depth_range", depth_range)
        self.valid_range = self.depth_range

    @abc.abstractmethod
    def index(self) -> Sequence[str]:
        """List the sample ids of the split in order: unique, and stable across machines.

        Raises:
            DataError: if files are missing; the message says which and where they were looked for.
        """

    @abc.abstractmethod
    def read(self, i: int) -> Frame:
        """Decode sample number `i`.

        Raises:
            DataError: if a file is unreadable or not what its format promises; the message names the file.
        """

    @functools.cached_property
    def sample_ids(self) -> tuple[str, ...]:
        """The ids of `index`, checked to be at least one and unique."""
        ids = tuple(self.index())
        if not ids:
            msg = f"{type(self).__name__}: expected at least one sample, found none"
            raise DataError(msg)
        twice = [name for name, times in collections.Counter(ids).items() if times > 1][:3]
        if twice:
            msg = f"{type(self).__name__}: expected unique sample ids, but these appear more than once: {twice}"
            raise DataError(msg)
        return ids

    def __len__(self) -> int:
        """Return the number of images in the split."""
        return len(self.sample_ids)

    def __getitem__(self, i: int) -> Sample:
        """Return sample number `i` as a batch of one."""
        frame = self.read(i)
        if frame.depth is None:
            depth, valid = np.zeros(frame.image.shape[:2], np.float32), self._annotated(i, frame)
        else:
            depth, valid = self._measured(i, frame, frame.depth)
        return Sample(
            image=torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1)))[None],
            depth=torch.from_numpy(depth)[None, None],
            valid=torch.from_numpy(valid)[None, None],
            depth_range=self.depth_range,
            sample_id=(self.sample_ids[i],),
            index=(i,),
            group=(frame.group,),
            intrinsics=_batch(frame.intrinsics),
            edges=_batch(frame.edges, channel=True),
            segments=_batch(frame.segments, channel=True),
            plane_normals=_batch(frame.plane_normals),
            point_pairs=_batch(frame.point_pairs),
        )

    def _measured(self, i: int, frame: Frame, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Depth and the pixels that count."""
        if frame.image.shape[:2] != depth.shape:
            msg = (
                f"{self.sample_ids[i]}: expected image and ground truth of one size, got {frame.image.shape[:2]} and "
                f"{depth.shape} (height, width); ground truth is never resampled, so resize the image to its grid"
            )
            raise DataError(msg)
        nearest, farthest = self.valid_range
        # NaN compares false: not measured
        valid = (depth > nearest) & (depth < farthest)
        if frame.valid is not None:
            valid &= frame.valid
        return np.where(valid, depth, np.float32(0)), valid

    def _annotated(self, i: int, frame: Frame) -> np.ndarray:
        """The pixels of the annotated points."""
        valid = np.zeros(frame.image.shape[:2], bool)
        pairs = np.zeros((0, 5), np.int64) if frame.point_pairs is None else frame.point_pairs
        points = pairs[:, :4].reshape(-1, 2)
        if not len(points) or (points < 0).any() or (points >= valid.shape).any():
            msg = (
                f"{self.sample_ids[i]}: expected annotated points within the image, (row, column) below {valid.shape}, "
                f"got {points[:4].tolist()}; check that images and annotations are of one download"
            )
            raise DataError(msg)
        valid[points[:, 0], points[:, 1]] = True
        return valid


def as_range(name: str, bounds: Sequence[float]) -> tuple[float, float]:
    """A range as the configuration writes it.

    Raises:
        ConfigError: if it is none.
    """
    nearest, farthest = bounds
    if not 0 <= nearest < farthest:
        msg = f"{name}: expected 0 <= nearest < farthest in metres, got {tuple(bounds)}"
        raise ConfigError(msg)
    return float(nearest), float(farthest)


def _batch(array: np.ndarray | None, *, channel: bool = False) -> torch.Tensor | None:
    if array is None:
        return None
    tensor = torch.from_numpy(array)[None]
    return tensor[None] if channel else tensor


class Shard(Dataset[tuple[Sample, ...]]):
    """The batches of one process: of the images to serve every `world_size`-th, from number `rank` on.

    All processes together see each image once and none is padded. (torch's DistributedSampler repeats images until
    all shards are equally long, which biases every mean.) A process without images gets one empty batch, so that it
    takes part in every collective operation.

    Args:
        dataset: the split.
        positions: of the images that are served, over all processes.
        batch_size: images per batch; the last batch may be smaller.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self, dataset: DepthDataset, *, positions: Sequence[int], batch_size: int, rank: int, world_size: int
    ) -> None:
        images = positions[rank::world_size]
        self._dataset = dataset
        self._batches = [images[start : start + batch_size] for start in range(0, max(len(images), 1), batch_size)]

    def __len__(self) -> int:
        """Return the number of batches, at least 1."""
        return len(self._batches)

    def __getitem__(self, i: int) -> tuple[Sample, ...]:
        """Return batch number `i`: one `Sample` per image size in it, none if the batch is empty."""
        return group_by_size([self._dataset[position] for position in self._batches[i]])


def _as_it_is(batch: Any) -> Any:
    return batch  # the default would turn the tuple into a list


def _start_method() -> str:
    """Return how decoding processes start: as everywhere on this platform.

    Inside a worker of joblib the current method is joblib's own, which torch's loader cannot use.
    """
    current, of_platform = multiprocessing.get_start_method(), multiprocessing.get_all_start_methods()
    return current if current in of_platform else of_platform[0]


class DepthDataModule(LightningDataModule):
    """Serves one data set to `trainer.predict`.

    A batch is a tuple of `Sample`, one per image size in it, so images of any sizes can share a batch.

    Args:
        dataset: the split to serve.
        batch_size: images read per step and device; changes speed and memory, never a digit.
        num_workers: processes that decode ahead; 0 decodes in the main process.
        limit: only the first so many images, or None for all; results of a limited run are marked and never ranked.
    """

    def __init__(self, *, dataset: DepthDataset, batch_size: int, num_workers: int, limit: int | None) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0 or (limit is not None and limit < 1):
            msg = (
                "expected batch_size >= 1, num_workers >= 0 and limit >= 1 or null, got "
                f"batch_size={batch_size}, num_workers={num_workers}, limit={limit}"
            )
            raise ConfigError(msg)
        self.dataset = dataset
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.limit = limit
        self.done: frozenset[int] = frozenset()
        """Positions of images that an earlier, interrupted run has scored; they are not served again."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The ids this run is expected to score, in order."""
        return self.dataset.sample_ids[: self.limit]

    def predict_dataloader(self) -> DataLoader[tuple[Sample, ...]]:
        """Build the loader of this rank's shard; called by Lightning."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        shard = Shard(
            self.dataset,
            positions=[position for position in range(len(self.sample_ids)) if position not in self.done],
            batch_size=self.batch_size,
            rank=rank,
            world_size=world_size,
        )
        return DataLoader(
            shard,
            batch_size=None,
            num_workers=self.num_workers,
            collate_fn=_as_it_is,
            multiprocessing_context=_start_method() if self.num_workers else None,
            pin_memory=torch.cuda.is_available(),
        )

    def transfer_batch_to_device(
        self, batch: tuple[Sample, ...], device: torch.device, dataloader_idx: int
    ) -> tuple[Sample, ...]:
        """Move a batch to the device of its rank; Lightning's hook."""
        return tuple(sample.to(device, non_blocking=True) for sample in batch)
