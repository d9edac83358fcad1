"""CorruptedDataset: another data set with its images corrupted and its ground truth as it was."""

import dataclasses
from collections.abc import Hashable, Sequence

from src.data.base import DepthDataset, Frame
from src.data.corruption.catalogue import corrupt, corruption_named


class CorruptedDataset(DepthDataset):
    """The same samples with corrupted images. See `src.data.corruption` for source and deviations.

    Args:
        dataset: whose images are corrupted.
        corruption: a name of `CORRUPTIONS`.
        severity: 1 to 5.

    Raises:
        ConfigError: if there is no such corruption or severity.
    """

    def __init__(self, *, dataset: DepthDataset, corruption: str, severity: int) -> None:
        corruption_named(corruption, severity)
        super().__init__(depth_range=dataset.depth_range)
        self.dataset = dataset
        self.valid_range = dataset.valid_range
        self.family = dataset.family
        self.corruption = corruption
        self.severity = severity

    def index(self) -> Sequence[str]:
        """List the ids of the other data set."""
        self.dataset.lists_incomplete = self.lists_incomplete
        return self.dataset.sample_ids

    def read(self, i: int) -> Frame:
        """Corrupt the image of a frame."""
        frame = self.dataset.read(i)
        image = corrupt(frame.image, self.corruption, self.severity, self.sample_ids[i])
        return dataclasses.replace(frame, image=image)

    def stamps(self, i: int) -> Sequence[str] | None:
        """Say what the image is made from; the corruption is part of it."""
        stamps = self.dataset.stamps(i)
        return None if stamps is None else [*stamps, f"corruption={self.corruption} severity={self.severity}"]

    def shape_hint(self, i: int) -> Hashable:
        """Pass on the guess of the other data set."""
        return self.dataset.shape_hint(i)
