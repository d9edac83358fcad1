"""Shard: which images go together in a batch, and which process reads them."""

import time
from collections.abc import Hashable, Sequence

from torch.utils.data import Dataset

from src.core.batch import Batch, Unreadable
from src.core.errors import DataError
from src.core.reading import count_reading
from src.core.sample import Sample, group_by_size
from src.data.base import DepthDataset
from src.data.storage.cache import DecodedCache


def batches_of_one_shape(
    positions: Sequence[int], shapes: Sequence[Hashable], batch_size: int
) -> tuple[tuple[int, ...], ...]:
    """Put images of one shape together, each image once.

    A batch is done when it is full; what is left of each shape ends in a smaller one. Images thus stay near their place
    in the split, and the number of batches is known before anything is decoded.

    Args:
        positions: of images in the split, in order.
        shapes: of each of them.
        batch_size: images per batch at most.

    >>> batches_of_one_shape([0, 1, 2, 3, 4], ["a", "b", "a", "b", "a"], 2)
    ((0, 2), (1, 3), (4,))
    """
    growing: dict[Hashable, list[int]] = {}
    done = []
    for position, shape in zip(positions, shapes, strict=True):
        batch = growing.setdefault(shape, [])
        batch.append(position)
        if len(batch) == batch_size:
            done.append(tuple(growing.pop(shape)))
    return (*done, *(tuple(batch) for batch in growing.values()))


class Shard(Dataset[Batch]):
    """The batches of one process: of the images to serve every `world_size`-th, from number `rank` on.

    All processes together see each image once and none is padded. (torch's DistributedSampler repeats images until
    all shards are equally long, which biases every mean.) A process without images gets one empty batch, so that it
    takes part in every collective operation.

    Images of one shape go together as far as the data set knows shapes without decoding. Where it is mistaken, a batch
    holds several samples, which costs speed and changes no digit.

    Args:
        dataset: the split.
        positions: of the images that are served, over all processes.
        batch_size: images per batch at most.
        rank: of this process.
        world_size: number of processes.
        skip: hand on images that cannot be read as such, instead of raising the error.
        cache: where decoded images are kept, or None.
    """

    def __init__(
        self,
        dataset: DepthDataset,
        *,
        positions: Sequence[int],
        batch_size: int,
        rank: int,
        world_size: int,
        skip: bool,
        cache: DecodedCache | None,
    ) -> None:
        images = positions[rank::world_size]
        shapes = [dataset.shape_hint(i) if batch_size > 1 else None for i in images]
        self._batches = batches_of_one_shape(images, shapes, batch_size) or ((),)
        self._dataset = dataset
        self._skip = skip
        self._cache = cache

    def __len__(self) -> int:
        """Return the number of batches, at least 1."""
        return len(self._batches)

    def __getitem__(self, i: int) -> Batch:
        """Return batch number `i`.

        Raises:
            DataError: if an image cannot be read, unless those are to be skipped.
        """
        samples, unreadable = [], []
        start = time.perf_counter()
        with count_reading() as reading:
            for position in self._batches[i]:
                try:
                    samples.append(self._read(position))
                except DataError as error:
                    if not self._skip:
                        raise
                    name = self._dataset.sample_ids[position]
                    unreadable.append(Unreadable(index=position, sample_id=name, reason=str(error)))
            whole = group_by_size(samples)
        return Batch(
            samples=whole,
            unreadable=tuple(unreadable),
            seconds=time.perf_counter() - start,
            reading_seconds=reading.seconds,
        )

    def _read(self, position: int) -> Sample:
        if self._cache is None:
            return self._dataset[position]
        return self._cache.sample(self._dataset, position)
