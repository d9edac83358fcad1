"""Pictures: sets that are pairs of a colour image and a depth map, and that a crop tells apart."""

import abc
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float32

from src.data.base import Frame
from src.data.sets.crops import box_on, inside
from src.data.sets.published import PublishedDataset, image_shape, per_metre, read_image, read_stored


class Pictures(PublishedDataset, abc.ABC):
    """Colour images, each with a 16-bit PNG or NumPy map of its size; a subclass sets `units` and writes `pairs`.

    Args:
        root: folder, .tar or .zip.
        count: images in the split, or None where nobody has said.
        crop: garg, eigen, a box (top, bottom, left, right), half-open and cut where the image ends, or None.
        depth_range: (nearest, farthest) in metres.
    """

    units: ClassVar[int]
    """Stored units per metre."""

    def __init__(
        self,
        *,
        root: str | Path,
        count: int | None,
        crop: str | Sequence[int] | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        box_on(crop, (1, 1))  # what is no crop is refused before any file is read
        self.crop = crop

    def shape_hint(self, i: int) -> Hashable:
        """The size by the header of the image."""
        return image_shape(self.tree, self.files[self.sample_ids[i]][0])

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i`."""
        image, depth_name = self.files[self.sample_ids[i]][:2]
        depth = per_metre(read_stored(self.tree, depth_name), self.units)
        size = (depth.shape[0], depth.shape[1])
        box = box_on(self.crop, size)
        return Frame(
            image=read_image(self.tree, image),
            depth=depth,
            valid=None if box is None else inside(box, size),
            intrinsics=self.camera(i),
            cluster=self.cluster_of(i),
            slice=self.slice_of(i),
        )

    def camera(self, i: int) -> Float32[np.ndarray, "3 3"] | None:
        """The intrinsics of sample number `i`, where they are known."""
        return None

    def cluster_of(self, i: int) -> str:
        """The cluster of sample number `i`: the first folder of its id, unless a subclass knows better."""
        name = self.sample_ids[i]
        return name.split("/")[0] if "/" in name else ""

    def slice_of(self, i: int) -> str:
        """The slice of sample number `i`: none, unless a subclass knows better."""
        return ""
