"""MPI Sintel: frames of an animated film with its exact depth."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, read_image, read_stored
from src.data.storage.archive import Tree

RENDERINGS = ("final", "clean")

_TAG = np.float32(202021.25).tobytes()
_PIXEL_CENTRE = 0.5  # the cameras put the centre of the first pixel at 0: cx = 511.5 of 1024


class Sintel(PublishedDataset):
    """MPI Sintel, the 23 training sequences with depth.

    Source: MPI-Sintel-training_images.zip and MPI-Sintel-depth-training-20150305.zip (sintel.is.tue.mpg.de/depth),
    unpacked over one another into one folder.
    Layout: `training/{final,clean}/<sequence>/frame_NNNN.png`, `training/depth/<sequence>/frame_NNNN.dpt` and
    `training/camdata_left/<sequence>/frame_NNNN.cam`, with or without `training/`.
    Licence: not looked up; the download page decides.
    Counts: 1064 frames of 436 x 1024. Clusters: the sequences.
    Units: float32 behind a tag, width and height; metres of the film's world. Sky is very far.
    Camera: the .cam file, if it is there, moved by half a pixel.
    Crop: none. Range: up to 72 m (MiDaS). The MiDaS paper does not say whether it shows `final` (with blur and haze) or
    `clean`; SlowTV shows `final` and counts up to 100 m.
    Citation: D. J. Butler, J. Wulff, G. B. Stanley, M. J. Black, "A Naturalistic Open Source Movie for Optical Flow
    Evaluation", ECCV 2012.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        rendering: final or clean.
        depth_range: (nearest, farthest) in metres.
    """

    family = "sintel"
    origin = (
        "MPI-Sintel-training_images.zip and MPI-Sintel-depth-training-20150305.zip, unpacked into one folder "
        "(sintel.is.tue.mpg.de)"
    )

    def __init__(self, *, root: str | Path, count: int, rendering: str, depth_range: Sequence[float]) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if rendering not in RENDERINGS:
            msg = f"rendering: expected one of {', '.join(RENDERINGS)}, got {rendering!r}"
            raise ConfigError(msg)
        self.rendering = rendering

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair each depth map with its frame, in alphabetical order."""
        found = (re.fullmatch(r"(training/)?depth/(.+/frame_\d{4})\.dpt", name) for name in self.names)
        return {m[2]: (f"{m[1] or ''}{self.rendering}/{m[2]}.png", m[0]) for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The depth map of a frame."""
        match = re.fullmatch(rf"(training/)?{self.rendering}/(.+/frame_\d{{4}})\.png", name)
        return f"{match[1] or ''}depth/{match[2]}.dpt" if match else None

    def stamps(self, i: int) -> Sequence[str]:
        """The stamps of frame, depth and, if there is one, camera."""
        camera = _camera_name(self.files[self.sample_ids[i]][1])
        return [*super().stamps(i), *([self.tree.stamp(camera)] if self.tree.exists(camera) else [])]

    def read(self, i: int) -> Frame:
        """Decode frame, depth and camera number `i`."""
        image, depth = self.files[self.sample_ids[i]]
        camera = _camera_name(depth)
        return Frame(
            image=read_image(self.tree, image),
            depth=read_stored(self.tree, depth),
            intrinsics=_read_camera(self.tree, camera) if self.tree.exists(camera) else None,
            cluster=self.sample_ids[i].split("/")[0],
        )


def _camera_name(depth: str) -> str:
    return depth.replace("depth/", "camdata_left/").replace(".dpt", ".cam")


def _read_camera(tree: Tree, name: str) -> Float32[np.ndarray, "3 3"]:
    content = tree.read(name)
    if content[:4] != _TAG or len(content) != 4 + 8 * (9 + 12):
        msg = f"{tree.path / name}: expected a Sintel camera (tag 202021.25, 9 + 12 float64 values); download it again"
        raise DataError(msg)
    intrinsics = np.frombuffer(content[4:76], "<f8").reshape(3, 3).copy()
    intrinsics[:2, 2] += _PIXEL_CENTRE
    return intrinsics.astype(np.float32)
