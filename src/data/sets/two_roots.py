"""TwoRoots: published sets whose images and depth maps are two downloads."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from src.data.sets.published import PublishedDataset, check_count
from src.data.storage.archive import MissingFilesError, Tree, open_tree


class TwoRoots(PublishedDataset):
    """Images below one root and depth maps below another, which may be the same; `pairs` gives (image, depth).

    Args:
        root: folder, .tar or .zip with the images.
        depth_root: the same with the depth maps.
        count: images in the split, or None.
        depth_range: (nearest, farthest) in metres.
    """

    depth_origin: ClassVar[str]
    """What should lie at the root of the depth maps and where to get it."""

    def __init__(
        self, *, root: str | Path, depth_root: str | Path, count: int | None, depth_range: Sequence[float]
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        self.depth_root = Path(depth_root)

    def index(self) -> Sequence[str]:
        """The ids of `pairs`, once all images and depth maps are there."""
        check_count(self.tree, found=len(self.files), expected=self.count)
        if not self.lists_incomplete:
            self._require()
        return tuple(self.files)

    def _require(self) -> None:
        """Name what is missing of either download."""
        images, depths = zip(*self.files.values(), strict=True) if self.files else ((), ())
        faults = []
        for tree, names in ((self.tree, images), (self.depth_tree, depths)):
            try:
                tree.require(names)
            except MissingFilesError as error:
                faults.append(error)
        if faults:
            raise MissingFilesError("; ".join(map(str, faults)), [name for fault in faults for name in fault.names])

    def stamps(self, i: int) -> Sequence[str]:
        """The stamps of image and depth."""
        image, depth = self.files[self.sample_ids[i]]
        return [self.tree.stamp(image), self.depth_tree.stamp(depth)]

    @functools.cached_property
    def depth_tree(self) -> Tree:
        """The files with the depth maps."""
        if self.depth_root == self.root:
            return self.tree
        return open_tree(self.depth_root, origin=self.depth_origin, option="depth_root")
