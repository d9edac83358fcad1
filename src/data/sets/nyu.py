"""NYU Depth v2 from its official files: the labelled .mat and the split."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from jaxtyping import Float32

from src.core.errors import ConfigError, DataError
from src.data.base import DepthDataset, Frame
from src.data.sets import frames
from src.data.sets.crops import as_box, inside
from src.data.sets.published import read_matlab
from src.data.storage.archive import file_stamp

SIZE = (480, 640)
"""Height and width of all images."""

_ORIGIN = (
    "the official files nyu_depth_v2_labeled.mat (2.8 GB, cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html) and "
    "splits.mat (same site, indoor_seg_sup)"
)


class NYU(DepthDataset):
    """NYU Depth v2: 464 indoor scenes seen by a Kinect; the 654 labelled test images.

    Source: nyu_depth_v2_labeled.mat (MATLAB v7.3, thus HDF5) and splits.mat (MATLAB v5), both as downloaded, in one
    folder. The split is `testNdxs`, checked against the list in this package.
    Licence: none stated by the site.
    Counts: 654 images of 480 x 640. Ids are the official numbers, counted from 1; clusters are the
    scenes (`frames.nyu_scenes`), slices the official scene types.
    Units: metres, float32. Two ground truths that differ by 30 % in AbsRel: `rawDepths` as measured and projected into
    the colour camera, 0 where missing, which published results use; and `depths`, filled in by colorisation, which is
    partly invented.
    Camera: the toolbox's calibration of the colour camera; its principal point is moved by half a pixel, since the
    toolbox puts the centre of the first pixel at 1 and this program at 0.5.
    Crop: Eigen's, rows 45:471 and columns 41:601, or none (MiDaS). Range: 1e-3 to 10 m.
    Citation: N. Silberman, D. Hoiem, P. Kohli, R. Fergus, "Indoor Segmentation and Support Inference from RGBD Images",
    ECCV 2012.

    Args:
        root: folder with the two files.
        count: images in the split.
        field: which ground truth, `rawDepths` or `depths`.
        crop: (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "nyu"

    def __init__(
        self,
        *,
        root: str | Path,
        count: int,
        field: str,
        crop: Sequence[int] | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(depth_range=depth_range)
        if field not in ("rawDepths", "depths"):
            msg = f"field: expected rawDepths (as measured) or depths (filled in), got {field!r}"
            raise ConfigError(msg)
        self.root = Path(root).expanduser()
        self.count = count
        self.field = field
        self.crop = as_box(crop, SIZE)

    def index(self) -> Sequence[str]:
        """The official test numbers, with four digits."""
        numbers = self._numbers
        if len(numbers) != self.count or set(numbers) != set(frames.nyu_test()):
            msg = (
                f"{self._splits}: expected the {self.count} official test images (testNdxs), got {len(numbers)} "
                "numbers that are not those; download splits.mat again"
            )
            raise DataError(msg)
        with self._open() as file:
            for name, shape in (("images", (3, *SIZE[::-1])), (self.field, SIZE[::-1])):
                if name not in file or file[name].shape[1:] != shape or file[name].shape[0] < max(numbers):
                    found = file[name].shape if name in file else "none"
                    msg = f"{self._labelled}: expected {name} of shape {(1449, *shape)}, got {found}; download it again"
                    raise DataError(msg)
        return [f"{number:04d}" for number in numbers]

    def read(self, i: int) -> Frame:
        """Read image and depth number `i` from the labelled file, whose axes run column first."""
        row = self._numbers[i] - 1
        with self._open() as file:
            try:
                image, depth = file["images"][row], file[self.field][row]
                scene_type = "".join(map(chr, file[file["sceneTypes"][0, row]][:, 0]))
            except (OSError, KeyError) as error:
                msg = f"{self._labelled}: image {row + 1} cannot be read: {error}; download the file again"
                raise DataError(msg) from error
        return Frame(
            image=np.ascontiguousarray(image.transpose(2, 1, 0)),
            depth=np.ascontiguousarray(depth.T),
            valid=None if self.crop is None else inside(self.crop, SIZE),
            intrinsics=intrinsics(),
            cluster=frames.nyu_scenes().get(row + 1, ""),
            slice=scene_type,
        )

    def stamps(self, i: int) -> Sequence[str]:
        """The stamp of the labelled file."""
        return [file_stamp(self._labelled)]

    @property
    def _labelled(self) -> Path:
        return self.root / "nyu_depth_v2_labeled.mat"

    @property
    def _splits(self) -> Path:
        return self.root / "splits.mat"

    @functools.cached_property
    def _numbers(self) -> tuple[int, ...]:
        for path in (self._labelled, self._splits):
            if not path.is_file():
                msg = (
                    f"{path.absolute()}: expected {_ORIGIN}; there is no such file. Point to their folder with "
                    "data.root=<folder>, or with paths.data_dir=<folder of all data sets>"
                )
                raise DataError(msg)
        try:
            content = read_matlab(self._splits.read_bytes(), self._splits)
            return tuple(int(number) for number in content["testNdxs"].ravel())
        except (KeyError, ValueError, TypeError) as error:
            msg = f"{self._splits}: expected the official split with testNdxs: {error}; download it again"
            raise DataError(msg) from error

    def _open(self) -> Any:
        """Open the labelled file for one read, which takes a millisecond and shares nothing between processes."""
        try:
            return h5py.File(self._labelled)
        except OSError as error:
            msg = f"{self._labelled}: expected a readable HDF5 file: {error}; download it again"
            raise DataError(msg) from error


def intrinsics() -> Float32[np.ndarray, "3 3"]:
    """The colour camera as the authors' toolbox has it (camera_params.m), which puts the first pixel's centre at 1."""
    fx, fy, cx, cy = 518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465
    return np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]], np.float32)
