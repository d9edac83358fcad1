"""DepthDataset: how files become samples."""

import abc
import collections
import dataclasses
import functools
from collections.abc import Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch.utils.data import Dataset

from src.core.errors import ConfigError, DataError
from src.core.sample import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One decoded image with its ground truth, as numpy arrays.

    Attributes:
        image: (h, w, 3) uint8 sRGB; of another size than its depth it is refused by the data set, by name.
        depth: (h, w) float32 z-depth in metres; zero, negative or non-finite means not measured. None in ordinal sets,
            which have `point_pairs` instead: their points are the pixels that count.
        valid: (h, w) bool, pixels that may count (the variant's crop, the data set's own mask); None for all.
        intrinsics: (3, 3) float32, pixels, pixel centres at integer + 0.5; or None.
        cluster, slice: of the image, as in `Sample`; "" for none.
        edges, segments, plane_normals, point_pairs: as in `Sample`, without the batch axis.
    """

    image: UInt8[np.ndarray, "H W 3"]
    depth: Float32[np.ndarray, "h w"] | None
    valid: Bool[np.ndarray, "h w"] | None = None
    intrinsics: Float32[np.ndarray, "3 3"] | None = None
    cluster: str = ""
    slice: str = ""
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
        lists_incomplete: `index` lists samples whose files are missing too, since they will be skipped; reading them
            raises. Set before the first look at the data.
    """

    lists_incomplete: bool = False

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

    def stamps(self, i: int) -> Sequence[str] | None:
        """Say what sample number `i` is made from: something that changes when the content of one of its files does.

        Every file counts that `read` uses, those of all samples too (`Tree.stamp`). None, unless a subclass says it:
        then samples are not kept in the decoded cache.

        Raises:
            DataError: if a file is missing.
        """
        return None

    def shape_hint(self, i: int) -> Hashable:
        """Guess without decoding which samples are of one size: equal values for equal sizes.

        Batches are put together by it. The default takes all samples to be of one size. A wrong guess costs speed only,
        so an unreadable file is no error here.
        """
        return None

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
            cluster=(frame.cluster,),
            slice=(frame.slice,),
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
    if len(bounds) != 2 or not all(isinstance(bound, int | float) for bound in bounds):
        msg = f"{name}: expected two numbers in metres such as [0.001, 10.0], got {list(bounds)}"
        raise ConfigError(msg)
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
