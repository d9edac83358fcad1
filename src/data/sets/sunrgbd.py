"""SUN RGB-D from its official files: four depth cameras, depth with rotated bits."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, image_shape, per_metre, read_image, read_matlab, read_stored

DEPTHS = ("depth_bfx", "depth")

_SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"


class SUNRGBD(PublishedDataset):
    """SUN RGB-D, test split: rooms seen by Kinect v1 and v2, RealSense and Xtion.

    Source: SUNRGBD.zip and SUNRGBDtoolbox.zip (rgbd.cs.princeton.edu), unpacked into one folder.
    Layout: `SUNRGBD/<camera>/.../<frame>/` with image/*.jpg, depth/*.png, depth_bfx/*.png and intrinsics.txt; the split
    is `alltest` of SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat.
    Licence: none stated by the site.
    Counts: 5050 images of several sizes. Slices: the camera. Clusters: of what comes from SUN3D the
    place; of the other images the files do not tell.
    Units: 16-bit PNG whose bits are rotated left by three: rotated back, millimetres. Below 8.192 m that is an eighth
    of the stored number. Packs that others made divide it by 1000 or 10,000 without rotation and are not comparable.
    Ground truth: depth_bfx, with holes filled from neighbouring frames as the authors recommend, or depth, as measured.
    Camera: intrinsics.txt, moved by half a pixel, since the toolbox puts the centre of the first pixel at 1.
    Crop: none. Range: up to 8 m, the toolbox's cap, or 10 m (Depth Pro). Images shared with NYUv2 are not taken out.
    Citation: S. Song, S. P. Lichtenberg, J. Xiao, "SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite", CVPR 2015.

    Args:
        root: folder, .tar or .zip that holds SUNRGBD/ and SUNRGBDtoolbox/.
        count: images in the split.
        depth: depth_bfx or depth.
        depth_range: (nearest, farthest) in metres.
    """

    family = "sunrgbd"
    origin = "SUNRGBD.zip and SUNRGBDtoolbox.zip, unpacked into one folder (rgbd.cs.princeton.edu)"

    def __init__(self, *, root: str | Path, count: int, depth: str, depth_range: Sequence[float]) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if depth not in DEPTHS:
            msg = f"depth: expected {DEPTHS[0]} (holes filled) or {DEPTHS[1]} (as measured), got {depth!r}"
            raise ConfigError(msg)
        self.depth = depth

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, depth and camera of each frame of the split, in its order."""
        pattern = rf"(SUNRGBD/.+)/(image|{self.depth})/[^/]+\.(?:jpg|png)"
        found = {(m[1], m[2]): m[0] for m in (re.fullmatch(pattern, name) for name in self.names) if m}
        return {
            frame.removeprefix("SUNRGBD/"): (
                found.get((frame, "image"), f"{frame}/image/*.jpg"),
                found.get((frame, self.depth), f"{frame}/{self.depth}/*.png"),
                f"{frame}/intrinsics.txt",
            )
            for frame in self._split()
        }

    def read(self, i: int) -> Frame:
        """Decode image, depth and camera number `i`."""
        image, depth, camera = self.files[self.sample_ids[i]]
        place = [*self.sample_ids[i].split("/"), "", ""]
        return Frame(
            image=read_image(self.tree, image),
            depth=per_metre(rotate(read_stored(self.tree, depth)), 1000),
            intrinsics=self._camera(camera),
            cluster=place[2] if place[1] == "sun3ddata" else "",
            slice=place[0],
        )

    def shape_hint(self, i: int) -> tuple[int, int] | None:
        """The size by the header of the image."""
        return image_shape(self.tree, self.files[self.sample_ids[i]][0])

    def _split(self) -> list[str]:
        where = self.tree.path / _SPLIT
        content = read_matlab(self.tree.read(_SPLIT), where)
        if "alltest" not in content:
            msg = f"{where}: expected the official split with alltest, got {sorted(content)}; download it again"
            raise DataError(msg)
        # paths of the authors' machine: /n/fs/sun3d/data/SUNRGBD/kv1/...
        return [re.sub(r"^.*?(SUNRGBD/.*?)/*$", r"\1", str(np.ravel(entry)[0])) for entry in content["alltest"].ravel()]

    def _camera(self, name: str) -> Float32[np.ndarray, "3 3"]:
        try:
            values = np.array([float(word) for word in self.tree.read(name).split()]).reshape(3, 3)
        except ValueError as error:
            msg = f"{self.tree.path / name}: expected 9 numbers: {error}; download it again"
            raise DataError(msg) from error
        values[:2, 2] -= 0.5
        return values.astype(np.float32)


def rotate(stored: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Rotate the 16 bits of whole numbers right by three.

    >>> rotate(np.array([[8, 16001, 0]], np.float32))
    array([[1.0000e+00, 1.0192e+04, 0.0000e+00]], dtype=float32)
    """
    bits = stored.astype(np.uint16)
    return ((bits >> 3) | (bits << 13)).astype(np.float32)
