"""Batch: what a data loader hands to a model, images of one size together, and the images it could not read."""

import dataclasses
from collections.abc import Iterator

import torch

from src.core.sample import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An image whose files could not be read.

    Attributes:
        index: position in the split.
        sample_id: name of the image.
        reason: the error, which names the file.
    """

    index: int
    sample_id: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The images of one step; iterating goes over `samples`.

    Attributes:
        samples: one for each image size in the batch; none if no image could be read, or if there was none to read.
        unreadable: the images that are to be skipped, since the user asked for that.
        seconds: that reading and decoding them took, in whatever process did it.
        reading_seconds: of these, what reading alone took, as far as a file is not read and decoded in one.
    """

    samples: tuple[Sample, ...]
    unreadable: tuple[Unreadable, ...] = ()
    seconds: float = 0.0
    reading_seconds: float = 0.0

    def __iter__(self) -> Iterator[Sample]:
        """Go over the samples."""
        return iter(self.samples)

    def __len__(self) -> int:
        """Return the number of samples, as many as predictions are expected."""
        return len(self.samples)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """Return the same batch with its tensors on `device`."""
        return dataclasses.replace(
            self, samples=tuple(sample.to(device, non_blocking=non_blocking) for sample in self.samples)
        )

    def pin_memory(self) -> "Batch":
        """Return the same batch in page-locked memory; called by the data loader."""
        return dataclasses.replace(self, samples=tuple(sample.pin_memory() for sample in self.samples))
