"""KITTI's Eigen test frames with annotated depth, in the view, crop and range of each protocol."""

import functools
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets import frames
from src.data.sets.crops import KB_SIZE, Crop, cut, inside, kb_box, shift
from src.data.sets.published import per_metre, read_image, read_stored
from src.data.sets.two_roots import TwoRoots
from src.data.storage.archive import Tree

METRIC3D_COLUMNS = (43, 1197)
"""Half-open; the narrowest images have 1224 columns."""

PIXEL_CENTRE = 0.5
"""KITTI's calibration puts the centre of the first pixel at 0."""

LEFT, RIGHT = "image_02", "image_03"
"""The colour cameras."""

_DEPTH_FOLDERS = ("", "train/", "val/")  # merged (BTS, Marigold), or as downloaded
_VALIDATION = {  # the recordings of the Eigen list that the depth benchmark keeps for validation
    "2011_09_26": ("0002", "0013", "0020", "0023", "0036"),
    "2011_09_30": ("0016",),
    "2011_10_03": ("0047",),
}


class Split(StrEnum):
    """Which of the annotated Eigen frames."""

    EIGEN = "eigen"
    """All 652."""
    MIDAS = "midas"
    """The 161 in recordings that KITTI's depth benchmark keeps for validation (R. Ranftl et al., TPAMI 2020)."""

    @classmethod
    def _missing_(cls, value: object) -> "Split":
        msg = f"split: expected one of {', '.join(cls)}, got {value!r}"
        raise ConfigError(msg)


class View(StrEnum):
    """What is shown to the model and scored."""

    FULL = "full"
    """The image as recorded, about 375 x 1242."""
    KB = "kb"
    """Image and ground truth cut to the benchmark's 352 x 1216."""
    METRIC3D = "metric3d"
    """Image and ground truth cut to the columns 43:1197, once the crop of the full image has been taken."""

    @classmethod
    def _missing_(cls, value: object) -> "View":
        msg = f"view: expected one of {', '.join(cls)}, got {value!r}"
        raise ConfigError(msg)


class KITTI(TwoRoots):
    """KITTI, Eigen test split: street scenes from a car, with depth from several accumulated laser sweeps.

    Source: the raw recordings, `<date>/<drive>_sync/image_02/data/NNNNNNNNNN.png` with `<date>/calib_cam_to_cam.txt`
    (cvlibs.net/datasets/kitti/raw_data.php), and data_depth_annotated.zip, `{train,val}/<drive>_sync/proj_depth/
    groundtruth/image_02/NNNNNNNNNN.png` (eval_depth.php), as downloaded or with train and val merged as in BTS's and
    Marigold's preparations. Marigold's kitti_eigen_split_test.tar holds both and no calibration.
    Licence: CC BY-NC-SA 3.0, by the site.
    Counts: D. Eigen's list has 697 frames of 28 recordings; 45 have no annotated depth, which leaves 652. Clusters: the
    recordings. The list comes with this package, since no download holds it.
    Units: 16-bit PNG, 1/256 m, 0 where not measured. Images are of 5 sizes from 370 x 1224 to 376 x 1241.
    Camera: P_rect_02, moved by half a pixel (KITTI's pixel centres are integers) and by the crop; none in the bundle.
    Crop: Garg's or Eigen's, as fractions *of the view*, hence other pixels in another view; ranges up to 80 or 100 m.
    Metric3D's tests cut image and depth to the columns 43:1197 besides; that its tables use them is not certain.
    Citation: A. Geiger, P. Lenz, C. Stiller, R. Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013; depth:
    J. Uhrig et al., "Sparsity Invariant CNNs", 3DV 2017; split: D. Eigen, C. Puhrsch, R. Fergus, NeurIPS 2014.

    Args:
        root: folder or archive with the dates of the raw recordings.
        depth_root: folder or archive with the annotated depth maps; the same for the bundle.
        count: images in the split.
        split: eigen or midas.
        view: full, kb or metric3d.
        crop: garg, eigen or None, of the view.
        depth_range: (nearest, farthest) in metres.
    """

    family = "kitti"
    origin = (
        "KITTI's raw recordings, 2011_09_26 to 2011_10_03 with their calibration "
        "(cvlibs.net/datasets/kitti/raw_data.php), or Marigold's kitti_eigen_split_test.tar "
        "(share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset)"
    )
    depth_origin = "KITTI's data_depth_annotated.zip (cvlibs.net/datasets/kitti/eval_depth.php)"

    def __init__(
        self,
        *,
        root: str | Path,
        depth_root: str | Path,
        count: int,
        split: str,
        view: str,
        crop: str | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, depth_root=depth_root, count=count, depth_range=depth_range)
        self.split = Split(split)
        self.view = View(view)
        self.crop = None if crop is None else Crop(crop)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image and depth of each frame of the list, by recording and frame."""
        listed = frames.kitti_eigen(annotated=True)
        if self.split is Split.MIDAS:
            listed = tuple(entry for entry in listed if entry[0][17:21] in _VALIDATION.get(entry[0][:10], ()))
        return {f"{drive}/{frame:010d}": self.pair(drive, frame) for drive, frame in listed}

    def stamps(self, i: int) -> Sequence[str]:
        """The stamps of image, depth and, if there is one, calibration."""
        calibration = _calibration(self.sample_ids[i])
        return [*super().stamps(i), *([self.tree.stamp(calibration)] if self.tree.exists(calibration) else [])]

    def shape_hint(self, i: int) -> str:
        """The date of the recording: the images of a day have one size."""
        return self.sample_ids[i][:10]

    def read(self, i: int) -> Frame:
        """Decode image, depth and camera number `i` and cut them to the view."""
        name = self.sample_ids[i]
        image_name, depth_name = self.files[name]
        image = read_image(self.tree, image_name)
        depth = per_metre(read_stored(self.depth_tree, depth_name), 256)
        intrinsics = self._cameras.get(_place(image_name))
        if image.shape[:2] != depth.shape or np.less(depth.shape, KB_SIZE).any():
            msg = (
                f"{self.tree.path / image_name}: expected an image of its depth map's size, at least {KB_SIZE}, got "
                f"{image.shape[:2]} and {depth.shape} (height, width)"
            )
            raise DataError(msg)
        if self.view is View.KB:
            box = kb_box((depth.shape[0], depth.shape[1]))
            image, depth = cut(image, box), cut(depth, box)
            intrinsics = None if intrinsics is None else shift(intrinsics, box)
        size = (depth.shape[0], depth.shape[1])
        valid = np.ones(size, bool) if self.crop is None else inside(self.crop.box(size), size)
        if self.view is View.METRIC3D:
            box = (0, size[0], *METRIC3D_COLUMNS)
            image, depth, valid = cut(image, box), cut(depth, box), cut(valid, box)
            intrinsics = None if intrinsics is None else shift(intrinsics, box)
        return Frame(
            image=image,
            depth=depth,
            valid=valid,
            intrinsics=intrinsics,
            cluster=name.split("/")[0],
        )

    def pair(self, drive: str, frame: int, camera: str = LEFT) -> tuple[str, str]:
        """Image and depth of one frame, of the left or right colour camera."""
        depth = f"{drive}/proj_depth/groundtruth/{camera}/{frame:010d}.png"
        found = [folder + depth for folder in _DEPTH_FOLDERS if self.depth_tree.exists(folder + depth)]
        return f"{drive[:10]}/{drive}/{camera}/data/{frame:010d}.png", found[0] if found else depth

    @functools.cached_property
    def _cameras(self) -> dict[tuple[str, str], Float32[np.ndarray, "3 3"]]:
        """The intrinsics of each date and camera for which there is a file."""
        places = sorted({_place(image) for image, _ in self.files.values()})
        return {
            (date, camera): _camera(self.tree, _calibration(date), camera)
            for date, camera in places
            if self.tree.exists(_calibration(date))
        }


def _place(image: str) -> tuple[str, str]:
    """Date and camera of an image."""
    date, _, camera = image.split("/")[:3]
    return date, camera


def _calibration(name: str) -> str:
    return f"{name[:10]}/calib_cam_to_cam.txt"


def _camera(tree: Tree, name: str, camera: str) -> Float32[np.ndarray, "3 3"]:
    entry = f"P_rect_{camera[-2:]}:"
    for line in tree.read(name).decode(errors="replace").splitlines():
        if line.startswith(entry):
            return as_camera(line.split()[1:], columns=4, where=tree.path / name)
    msg = f"{tree.path / name}: expected a line {entry} with 12 numbers, found none; download the calibration again"
    raise DataError(msg)


def as_camera(words: Sequence[str], *, columns: int, where: Path) -> Float32[np.ndarray, "3 3"]:
    """Intrinsics from the words of a calibration file with pixel centres at integers.

    Raises:
        DataError: if they are not three rows of so many numbers.
    """
    try:
        values = np.array([float(word) for word in words]).reshape(3, columns)[:, :3]
    except ValueError as error:
        msg = f"{where}: expected {3 * columns} numbers, got {list(words)}: {error}; download the calibration again"
        raise DataError(msg) from error
    values[:2, 2] += PIXEL_CENTRE
    return values.astype(np.float32)
