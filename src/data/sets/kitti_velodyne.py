"""KITTI's Eigen test frames with one laser sweep as ground truth, as self-supervised work scores them."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets import frames
from src.data.sets.crops import Crop, inside
from src.data.sets.kitti import as_camera
from src.data.sets.published import PublishedDataset, read_image

DEPTHS = ("forward", "camera")

_CAMERA, _LASER = "calib_cam_to_cam.txt", "calib_velo_to_cam.txt"
_POINT = 16  # bytes: x, y, z in metres (forward, left, up) and reflectance, each a little-endian float32


class KITTIVelodyne(PublishedDataset):
    """KITTI, all 697 frames of the Eigen test split, with the laser sweep of the frame itself projected into the image.

    Source: the raw recordings, `<date>/<drive>_sync/image_02/data/NNNNNNNNNN.png` and `velodyne_points/data/
    NNNNNNNNNN.bin` with `<date>/calib_cam_to_cam.txt` and `calib_velo_to_cam.txt` (cvlibs.net/datasets/kitti/
    raw_data.php). The list comes with this package.
    Licence: CC BY-NC-SA 3.0, by the site.
    Counts: 697 images of 28 recordings, of 5 sizes from 370 x 1224 to 376 x 1241. Clusters: the recordings.
    Units: a sweep is rows of float32 (x, y, z, reflectance), metres. A point in front of the laser (x >= 0) falls on
    the pixel (round(u) - 1, round(v) - 1), halves to even, of its projection (u, v) through P_rect_02 R_rect_00
    [R|T]; of several on one pixel the nearest counts. Few pixels are measured, about 5 %, and foreground and
    background mix near edges, since laser and camera look from different places.
    Depth: `forward` is what has been published since 2017: the distance x ahead of the *laser*, 0.27 m in front of
    which the camera sits; `camera` is the depth along the camera's axis, for work that wants the right value. The pixel
    rule, which puts points one pixel too far left and up, is that of the published code for both.
    Camera: P_rect_02, moved by half a pixel (KITTI's pixel centres are integers).
    Crop: Garg's or Eigen's, of the whole frame. Range: 1e-3 to 80 m.
    Citation: A. Geiger et al., IJRR 2013; split: D. Eigen et al., NeurIPS 2014; projection: C. Godard et al.,
    "Unsupervised Monocular Depth Estimation with Left-Right Consistency", CVPR 2017, and its successors.

    Args:
        root: folder or archive with the dates of the raw recordings.
        count: images in the split.
        depth: forward or camera.
        crop: garg, eigen or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "kitti"
    origin = (
        "KITTI's raw recordings with laser sweeps, 2011_09_26 to 2011_10_03, and their calibration "
        "(cvlibs.net/datasets/kitti/raw_data.php)"
    )

    def __init__(
        self, *, root: str | Path, count: int, depth: str, crop: str | None, depth_range: Sequence[float]
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if depth not in DEPTHS:
            msg = f"depth: expected forward (of the laser, as published) or camera, got {depth!r}"
            raise ConfigError(msg)
        self.depth = depth
        self.crop = None if crop is None else Crop(crop)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, sweep and calibrations of each frame of the list, by recording and frame."""
        return {
            f"{drive}/{frame:010d}": (
                f"{drive[:10]}/{drive}/image_02/data/{frame:010d}.png",
                f"{drive[:10]}/{drive}/velodyne_points/data/{frame:010d}.bin",
                f"{drive[:10]}/{_CAMERA}",
                f"{drive[:10]}/{_LASER}",
            )
            for drive, frame in frames.kitti_eigen(annotated=False)
        }

    def shape_hint(self, i: int) -> str:
        """The date of the recording: the images of a day have one size."""
        return self.sample_ids[i][:10]

    def read(self, i: int) -> Frame:
        """Decode image number `i` and project its sweep."""
        name = self.sample_ids[i]
        image_name, sweep, _, _ = self.files[name]
        image = read_image(self.tree, image_name)
        size = (image.shape[0], image.shape[1])
        onto_image, intrinsics = self._cameras[name[:10]]
        return Frame(
            image=image,
            depth=project(self._points(sweep), onto_image, size, forward=self.depth == "forward"),
            valid=None if self.crop is None else inside(self.crop.box(size), size),
            intrinsics=intrinsics,
            cluster=name.split("/")[0],
        )

    def _points(self, name: str) -> Float32[np.ndarray, "n 4"]:
        content = self.tree.read(name)
        if not content or len(content) % _POINT:
            msg = (
                f"{self.tree.path / name}: expected points of {_POINT} bytes (x, y, z, reflectance as float32), got "
                f"{len(content)} bytes; download it again"
            )
            raise DataError(msg)
        return np.frombuffer(content, "<f4").reshape(-1, 4)

    @functools.cached_property
    def _cameras(self) -> dict[str, tuple[Float64[np.ndarray, "3 4"], Float32[np.ndarray, "3 3"]]]:
        """The matrix from laser to pixels, and the intrinsics, of each date."""
        return {date: self._camera(date) for date in sorted({name[:10] for name in self.sample_ids})}

    def _camera(self, date: str) -> tuple[Float64[np.ndarray, "3 4"], Float32[np.ndarray, "3 3"]]:
        camera, laser = f"{date}/{_CAMERA}", f"{date}/{_LASER}"
        rectify, to_camera = np.eye(4), np.eye(4)
        rectify[:3, :3] = self._matrix(camera, "R_rect_00", 3)
        to_camera[:3, :3], to_camera[:3, 3:] = self._matrix(laser, "R", 3), self._matrix(laser, "T", 1)
        onto_image = self._matrix(camera, "P_rect_02", 4)
        words = [repr(float(value)) for value in onto_image.ravel()]
        return onto_image @ rectify @ to_camera, as_camera(words, columns=4, where=self.tree.path / camera)

    def _matrix(self, name: str, key: str, columns: int) -> Float64[np.ndarray, "3 n"]:
        """Three rows of numbers behind a key of a calibration file."""
        lines = self.tree.read(name).decode(errors="replace").splitlines()
        words = next((line.partition(":")[2].split() for line in lines if line.startswith(f"{key}:")), [])
        try:
            return np.array([float(word) for word in words]).reshape(3, columns)
        except ValueError as error:
            msg = (
                f"{self.tree.path / name}: expected a line {key}: with {3 * columns} numbers, got {words}; download "
                "the calibration again"
            )
            raise DataError(msg) from error


def project(
    points: Float32[np.ndarray, "n 4"], onto_image: Float64[np.ndarray, "3 4"], size: tuple[int, int], *, forward: bool
) -> Float32[np.ndarray, "h w"]:
    """The nearest point on each pixel, 0 where there is none.

    Where that is a point before the laser and yet behind the camera, nothing was measured, as in the published code.
    (That code also mixes the first and last column of neighbouring rows, which no crop keeps.)

    Args:
        points: x, y, z of the laser in metres; the fourth column is not looked at.
        onto_image: homogeneous matrix from laser to pixels.
        size: (height, width).
        forward: the value is x of the laser rather than the depth of the camera.
    """
    ahead = points[points[:, 0] >= 0].astype(np.float64)
    ahead[:, 3] = 1
    u, v, z = onto_image @ ahead.T
    with np.errstate(divide="ignore", invalid="ignore"):  # such points compare false below
        columns, rows = np.round(u / z) - 1, np.round(v / z) - 1
    seen = (columns >= 0) & (rows >= 0) & (columns < size[1]) & (rows < size[0])
    value = ahead[seen, 0] if forward else z[seen]
    depth = np.full(size, np.inf)
    np.minimum.at(depth, (rows[seen].astype(int), columns[seen].astype(int)), value)
    return np.where(np.isfinite(depth), np.maximum(depth, 0), 0).astype(np.float32)
