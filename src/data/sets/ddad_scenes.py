"""DDAD as downloaded: laser sweeps, poses and calibrations, projected into the front camera."""

import dataclasses
import functools
import io
import json
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Float32, Float64

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.crops import box_on, inside
from src.data.sets.published import PublishedDataset, read_image
from src.data.storage.archive import Tree

Taken = TypeVar("Taken")

_DAMAGED = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_TOPS = ("", "ddad_train_val/")
_SCENES = "ddad.json"
_VALIDATION = "1"  # train is 0
_LASER = "LIDAR"

Pose = tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]
"""Rotation and translation from a sensor into the world."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One image and the laser sweep taken with it.

    Attributes:
        files: image, sweep, calibration and description of the scene.
        camera, laser: where the two sensors were when they were read.
    """

    files: tuple[str, str, str, str]
    camera: Pose
    laser: Pose


class DDADScenes(PublishedDataset):
    """DDAD (Dense Depth for Autonomous Driving), validation scenes as downloaded, one of the six cameras.

    Source: DDAD.tar (github.com/TRI-ML/DDAD), as downloaded or unpacked.
    Layout: `ddad.json`, which lists the scenes of each split, at the root or below ddad_train_val/; of each scene
    `<NNNNNN>/scene_<hash>.json` with poses, `rgb/<camera>/<time>.png`, `point_cloud/LIDAR/<time>.npz` and
    `calibration/<hash>.json`.
    Licence: CC BY-NC-SA 4.0, by the repository.
    Counts: 3950 samples of 50 scenes, 1216 x 1936 pixels. Clusters: the scenes.
    Depth: the sweep of the same sample, moved into the camera by the poses of the two sensors, each at its own time,
    and projected as the authors' package dgp does it: image coordinates lose their fraction, and of points that meet in
    a pixel the last counts, whether nearer or not.
    Units: metres, 0 where no point fell.
    Camera: from the calibration, moved by half a pixel (the package puts pixel centres at integers).
    Crop: none; Garg's by ZoeDepth. Range: the laser reaches 250 m; ZoeDepth counts up to 80 m, UniDepth up to 120 m.
    Citation: V. Guizilini, R. Ambrus, S. Pillai, A. Raventos, A. Gaidon, "3D Packing for Self-Supervised Monocular
    Depth Estimation", CVPR 2020.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        camera: CAMERA_01 (front), _05, _06, _07, _08 or _09.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "ddad"
    origin = "DDAD.tar of 257 GB, as downloaded or unpacked (github.com/TRI-ML/DDAD)"

    def __init__(
        self,
        *,
        root: str | Path,
        count: int,
        camera: str,
        crop: str | Sequence[int] | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        cameras = tuple(f"CAMERA_0{number}" for number in (1, 5, 6, 7, 8, 9))
        if camera not in cameras:
            msg = f"camera: expected one of {', '.join(cameras)}, got {camera!r}"
            raise ConfigError(msg)
        box_on(crop, (1, 1))  # what is no crop is refused before any file is read
        self.camera = camera
        self.crop = crop

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, sweep, calibration and description of each sample, by scene and time."""
        return {name: shot.files for name, shot in self.shots.items()}

    def read(self, i: int) -> Frame:
        """Decode image number `i` and project its sweep."""
        name = self.sample_ids[i]
        shot = self.shots[name]
        image_name, sweep, calibration, _ = shot.files
        image = read_image(self.tree, image_name)
        size = (image.shape[0], image.shape[1])
        intrinsics = self._intrinsics(calibration)
        box = box_on(self.crop, size)
        depth = project(move(self._points(sweep), shot.laser, shot.camera), intrinsics, size)
        moved = intrinsics.copy()
        moved[:2, 2] += 0.5
        return Frame(
            image=image,
            depth=depth,
            valid=None if box is None else inside(box, size),
            intrinsics=moved,
            cluster=name.split("/")[0],
        )

    @functools.cached_property
    def shots(self) -> Mapping[str, Shot]:
        """The samples of the validation scenes, in their order."""
        top = next((top for top in _TOPS if self.tree.exists(f"{top}{_SCENES}")), "")
        listed = _read_json(self.tree, f"{top}{_SCENES}", lambda c: list(c["scene_splits"][_VALIDATION]["filenames"]))
        return {name: shot for file in listed for name, shot in self._scene(f"{top}{file}").items()}

    def _scene(self, file: str) -> dict[str, Shot]:
        folder = posixpath.dirname(file)

        def shots(content: Any) -> dict[str, Shot]:
            records = {entry["key"]: (entry["id"]["name"], entry["datum"]) for entry in content["data"]}
            found = {}
            for sample in content["samples"]:
                sensors = dict(records[key] for key in sample["datum_keys"])
                image, sweep = sensors[self.camera]["image"], sensors[_LASER]["point_cloud"]
                files = (image["filename"], sweep["filename"], f"calibration/{sample['calibration_key']}.json")
                name = f"{posixpath.basename(folder)}/{Path(image['filename']).stem}"
                found[name] = Shot(
                    files=(f"{folder}/{files[0]}", f"{folder}/{files[1]}", f"{folder}/{files[2]}", file),
                    camera=as_pose(image["pose"]),
                    laser=as_pose(sweep["pose"]),
                )
            return found

        return _read_json(self.tree, file, shots)

    def _intrinsics(self, name: str) -> Float32[np.ndarray, "3 3"]:
        def matrix(content: Any) -> Float32[np.ndarray, "3 3"]:
            values = content["intrinsics"][content["names"].index(self.camera)]
            fx, fy, cx, cy = (float(values[key]) for key in ("fx", "fy", "cx", "cy"))
            return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)

        return _read_json(self.tree, name, matrix)

    def _points(self, name: str) -> Float64[np.ndarray, "n 3"]:
        try:
            with np.load(io.BytesIO(self.tree.read(name)), allow_pickle=False) as arrays:
                points: Float64[np.ndarray, "n 3"] = arrays["data"][:, :3].astype(np.float64)
        except _DAMAGED as error:
            msg = f"{self.tree.path / name}: expected points in an array data of three columns or more: {error}"
            raise DataError(msg) from error
        return points


def _read_json(tree: Tree, name: str, take: Callable[[Any], Taken]) -> Taken:
    """What `take` finds in a JSON file."""
    try:
        return take(json.loads(tree.read(name)))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        msg = f"{tree.path / name}: expected one of DDAD's descriptions: {error!r}; download it again"
        raise DataError(msg) from error


def as_pose(values: Mapping[str, Mapping[str, float]]) -> Pose:
    """A pose as the descriptions write it: a quaternion, in single precision and of any length, and a translation."""
    w, x, y, z = (float(np.float32(values["rotation"][key])) for key in ("qw", "qx", "qy", "qz"))
    n = w * w + x * x + y * y + z * z
    rotation = np.array(
        [
            [n - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), n - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), n - 2 * (x * x + y * y)],
        ]
    )
    if not n > 0:
        msg = f"a quaternion of length {n}"
        raise ValueError(msg)
    return rotation / n, np.array([values["translation"][key] for key in "xyz"], np.float32).astype(np.float64)


def move(points: Float64[np.ndarray, "n 3"], source: Pose, target: Pose) -> Float64[np.ndarray, "n 3"]:
    """Points of one sensor in the axes of another, by way of the world."""
    world = points @ source[0].T + source[1]
    moved: Float64[np.ndarray, "n 3"] = (world - target[1]) @ target[0]
    return moved


def project(
    points: Float64[np.ndarray, "n 3"], intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Depth of points in the axes of a camera (right, down, forward) whose pixel centres are at integers.

    Coordinates lose their fraction, so that -0.9 falls on pixel 0; of several points in a pixel the last counts.
    """
    h, w = size
    x, y, z = points[points[:, 2] > 0].T
    (fx, _, cx), (_, fy, cy), _ = intrinsics.astype(np.float64)
    u, v = fx * x / z + cx, fy * y / z + cy
    seen = (u > -1) & (u < w) & (v > -1) & (v < h)
    depth = np.zeros(size, np.float32)
    depth[v[seen].astype(int), u[seen].astype(int)] = z[seen]
    return depth
