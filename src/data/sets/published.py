"""PublishedDataset: what the published data sets share: files in pairs below one root, read in place and counted."""

import abc
import functools
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import scipy.io
from jaxtyping import Float32, Float64, UInt8

from src.core.errors import DataError
from src.core.maps import read_map
from src.data.base import DepthDataset
from src.data.storage.archive import MissingFilesError, Tree, open_tree
from src.data.storage.decode import HEADER_BYTES, read_rgb, read_size

_DAMAGED = (ValueError, TypeError, IndexError, OSError, EOFError, NotImplementedError, zlib.error)


class PublishedDataset(DepthDataset):
    """Files below one root; a subclass sets `origin` and writes `pairs` and `read`.

    Args:
        root: folder, .tar or .zip with the files of the data set; an archive's suffix may be left out.
        count: how many images the published split has; another number is an error. None where nobody has said.
        depth_range: (nearest, farthest) in metres.
    """

    origin: ClassVar[str]
    """What should lie at the root and where to get it."""

    def __init__(self, *, root: str | Path, count: int | None, depth_range: Sequence[float]) -> None:
        super().__init__(depth_range=depth_range)
        self.root = Path(root)
        self.count = count

    @abc.abstractmethod
    def pairs(self) -> Mapping[str, Sequence[str]]:
        """The files of each sample, by its id, in the order of the split."""

    def index(self) -> Sequence[str]:
        """The ids of `pairs`, once their number is the published one and all their files are there."""
        found = len(self.files)
        missing = self.told if self.count is not None and found < self.count else ()
        check_count(self.tree, found=found, expected=self.count, missing=missing)
        if not self.lists_incomplete:
            self.tree.require([name for names in self.files.values() for name in names])
        return tuple(self.files)

    def stamps(self, i: int) -> Sequence[str]:
        """The stamps of the files of a sample and of those that all samples share."""
        return [self.tree.stamp(name) for name in (*self.files[self.sample_ids[i]], *self.shared_files())]

    def shared_files(self) -> Sequence[str]:
        """Files besides its own that a sample is read from: annotations or calibration of the whole set."""
        return ()

    @functools.cached_property
    def tree(self) -> Tree:
        """The files below the root."""
        return open_tree(self.root, origin=self.origin)

    @functools.cached_property
    def names(self) -> Sequence[str]:
        """All files below the root, sorted, for `pairs` to look through."""
        return self.tree.names()

    @functools.cached_property
    def files(self) -> Mapping[str, Sequence[str]]:
        """The files of each sample, found once.

        If there are too few samples, or nobody has said how many there should be, those are listed too that are here in
        part only, so that what is missing is named; unless they are too many then, since some sets hold images that
        never had a depth map.
        """
        found = self.pairs()
        if (self.count is None or len(found) < self.count) and self.told:
            names, self.names = self.names, sorted([*self.names, *self.told])
            whole = self.pairs()
            if self.count is None or len(whole) <= self.count:
                return whole
            self.names = names
        return found

    @functools.cached_property
    def told(self) -> Sequence[str]:
        """Files that are not here, though others of their samples are, as far as names tell."""
        return sorted({file for file in map(self.found_by, self.names) if file is not None} - set(self.names))

    def found_by(self, name: str) -> str | None:
        """The file by which `pairs` finds a sample, told by the name of another of its files; None of any other file.

        Not of use where a list says which files there should be.
        """
        return None


def check_count(tree: Tree, *, found: int, expected: int | None, missing: Sequence[str] = ()) -> None:
    """Refuse a split that is not whole, whose mean would pass for the published one.

    Args:
        tree: the files.
        found: number of images.
        expected: the same as published; None where nobody has said.
        missing: files that are suspected to be missing.

    Raises:
        MissingFilesError: if it has another number of images.
    """
    if expected is None or found == expected:
        return
    suspected = ""
    if missing:
        suspected = f" Of images that are here in part, files are missing: {len(missing)}, the first: {missing[:3]}."
    msg = (
        f"{tree.path}: expected the {expected} images of this split, found {found}.{suspected} Complete the download, "
        "or point to where this set alone lies (limit=<n> scores the first n images of a complete set)"
    )
    raise MissingFilesError(msg, missing)


def read_image(tree: Tree, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image as stored: the ground truth of published sets lies on the stored pixels."""
    return read_rgb(tree.path / name, content=tree.read(name), as_stored=True)


def image_shape(tree: Tree, name: str) -> tuple[int, int] | None:
    """The size of an image by the first bytes of its file; None where they do not tell."""
    try:
        return read_size(tree.read(name, HEADER_BYTES))
    except DataError:
        return None


def read_stored(tree: Tree, name: str) -> Float32[np.ndarray, "h w"]:
    """Decode a 16-bit PNG or NumPy map without change."""
    return read_map(tree.path / name, content=tree.read(name))


def read_matlab(content: bytes, where: Path) -> dict[str, Any]:
    """Decode a MATLAB file of version 5.

    Raises:
        DataError: if it is none or damaged; the message names `where`.
    """
    try:
        return cast("dict[str, Any]", scipy.io.loadmat(io.BytesIO(content)))
    except (*_DAMAGED, scipy.io.matlab.MatReadError) as error:
        msg = f"{where}: expected a readable MATLAB file of version 5: {error}; download it again"
        raise DataError(msg) from error


def per_metre(stored: Float32[np.ndarray, "h w"], units: int) -> Float32[np.ndarray, "h w"]:
    """Depth in metres from whole units, so many per metre, rounded once.

    >>> per_metre(np.array([[1, 65535]], np.float32), 256)
    array([[3.906250e-03, 2.559961e+02]], dtype=float32)
    """
    metres: Float64[np.ndarray, "h w"] = stored.astype(np.float64) / units
    return metres.astype(np.float32)
