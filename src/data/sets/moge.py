"""The ten benchmarks of MoGe, in the bundle that its authors distribute, shown as its evaluator shows them."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, read_image
from src.data.sets.viewport import viewport

_NEAR_SHARE, _FARTHEST = 0.01, 1000  # what is farther than 1000 times the depth of the nearest 1 % does not count
_LAST = 65533  # steps of the logarithmic scale, which begins at 1
_SCALE = {"near": None, "far": None, "unit": 1.0}
_PLACES = ("indoors", "outdoor")
_NO_SEGMENT = ("undefined", "unannotated", "background", "sky")


class MoGeBenchmark(PublishedDataset):
    """One of MoGe's evaluation benchmarks: NYUv2, KITTI, ETH3D, iBims-1, GSO, Sintel, DDAD, DIODE, Spring or HAMMER.

    Source: one .zip per benchmark (huggingface.co/datasets/Ruicheng/monocular-geometry-evaluation), as downloaded or
    unpacked: sets that others made, converted by MoGe's authors.
    Layout: `.index.txt` lists folders, each with image.jpg, depth.png, meta.json and for some sets segmentation.png, at
    the root or below a folder of the benchmark's name.
    Licence: that of each original set; the bundle's own was not looked up.
    Counts: NYUv2 654, KITTI 652, ETH3D 454, iBims-1 100, GSO 1030, Sintel 1064, DDAD 1000, DIODE 771. Those of Spring
    and HAMMER are not published in what could be read. Clusters: the folder that a
    name lies in, if any. Slices: indoors and outdoor, where names begin so.
    Units: 16-bit PNG on a logarithmic scale from near to far (texts in the PNG); 0 not measured, 65535 infinitely far
    (sky), which does not count. Metres, but for GSO, Sintel and Spring, whose scale is arbitrary.
    View: the camera is turned to the image's centre and shows the largest window of the benchmark's shape; image by
    Lanczos and bilinear, depth by nearest valid pixels along the ray. Hence neither pixels nor depths are those of the
    original set: KITTI is 375 x 750 from the middle. The evaluator counts a pixel less per side where float32 rounds a
    whole size down; this program does not.
    Crop: none. Range: none, but depths beyond 1000 times the 1 % quantile of the shown ones do not count.
    Citation: R. Wang et al., "MoGe: Unlocking Accurate Monocular Geometry Estimation for Open-Domain Images with
    Optimal Training Supervision", CVPR 2025, and of the set.

    Args:
        root: folder, .zip or .tar of the benchmark.
        count: images in the split, or None where nobody has said.
        family: the data set that the benchmark is made of.
        listing: the file that lists the split.
        size: [height, width] to show.
        segments: whether segmentation.png is to be read, for errors within objects.
        depth_range: (nearest, farthest) in metres.
    """

    origin = (
        "one of the benchmarks that MoGe's authors distribute, as NYUv2.zip "
        "(huggingface.co/datasets/Ruicheng/monocular-geometry-evaluation)"
    )

    def __init__(
        self,
        *,
        root: str | Path,
        count: int | None,
        family: str,
        listing: str,
        size: Sequence[int],
        segments: bool,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if len(size) != 2 or min(size) < 1:
            msg = f"size: expected [height, width] in pixels, got {list(size)}"
            raise ConfigError(msg)
        self.family = family
        self.listing = listing
        self.size = (int(size[0]), int(size[1]))
        self.segments = segments

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """The files of each listed folder, in the order of the list."""
        top = next(
            (top for top in ("", f"{self.tree.path.stem}/") if self.tree.exists(f"{top}{self.listing}")),
            "",
        )
        names = ("image.jpg", "depth.png", "meta.json", *(("segmentation.png",) if self.segments else ()))
        listed = self.tree.read(f"{top}{self.listing}").decode(errors="replace").splitlines()
        return {folder: [f"{top}{folder}/{name}" for name in names] for folder in listed if folder.strip()}

    def read(self, i: int) -> Frame:
        """Decode image, depth and labels number `i` and show them in the benchmark's view."""
        name, *labels = self.sample_ids[i], *self.files[self.sample_ids[i]][3:]
        image_name, depth_name, meta_name = self.files[name][:3]
        image = read_image(self.tree, image_name)
        depth, valid = self._depth(depth_name)
        if image.shape[:2] != depth.shape:
            msg = (
                f"{self.tree.path / depth_name}: expected a map of its image's size {image.shape[:2]} (height, width), "
                f"got {depth.shape}; download it again"
            )
            raise DataError(msg)
        view = viewport(self._camera(meta_name), self.size)
        shown, seen = view.depth(depth, valid)
        parent, first = name.rpartition("/")[0], name.partition("/")[0]
        return Frame(
            image=view.image(image),
            depth=shown,
            valid=seen & _near_enough(shown, seen),
            intrinsics=view.intrinsics,
            cluster=parent,
            slice=first if first in _PLACES else "",
            segments=view.labels(self._labels(labels[0], depth.shape)) if labels else None,
        )

    def _depth(self, name: str) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Depth, and which of it was measured."""
        stored, texts = self._picture(name, ("I;16",))
        try:
            near, far, unit = (float(texts.get(key, default)) for key, default in _SCALE.items())
        except (TypeError, ValueError):
            near = far = unit = 0.0
        if not 0 < near <= far < np.inf or not 0 < unit < np.inf:
            msg = (
                f"{self.tree.path / name}: expected the texts near and far, with 0 < near <= far, in the PNG, got "
                f"{dict(texts)}; download it again"
            )
            raise DataError(msg)
        share = (stored.astype(np.float32) - np.float32(1)) / np.float32(_LAST)
        depth = np.float32(near) ** (1 - share) * np.float32(far) ** share * np.float32(unit)
        valid = (stored > 0) & (stored <= _LAST + 1)
        return np.where(valid, depth, np.float32(0)), valid

    def _camera(self, name: str) -> Float64[np.ndarray, "3 3"]:
        """Intrinsics in units of the image's width and height."""
        try:
            camera = np.array(json.loads(self.tree.read(name))["intrinsics"], np.float32).astype(np.float64)
            if camera.shape != (3, 3) or not np.isfinite(np.linalg.inv(camera)).all():
                msg = f"got {camera.tolist()}"
                raise ValueError(msg)
        except (ValueError, KeyError, TypeError, np.linalg.LinAlgError) as error:
            msg = f"{self.tree.path / name}: expected intrinsics, three rows of three numbers: {error!r}"
            raise DataError(msg) from error
        return camera

    def _labels(self, name: str, size: tuple[int, ...]) -> Int64[np.ndarray, "h w"]:
        """Objects from 1 on, in the order of their labels; 0 elsewhere."""
        stored, texts = self._picture(name, ("L", "I;16", "P"))
        try:
            ids = {str(label): int(number) for label, number in json.loads(texts["labels"]).items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{self.tree.path / name}: expected the names of the labels as a text in the PNG: {error!r}"
            raise DataError(msg) from error
        if stored.shape != size:
            msg = f"{self.tree.path / name}: expected labels of its image's size {size}, got {stored.shape}"
            raise DataError(msg)
        table = np.zeros(2**16, np.int64)
        objects = sorted({number for label, number in ids.items() if label not in _NO_SEGMENT})
        table[objects] = np.arange(1, len(objects) + 1)
        numbered: Int64[np.ndarray, "h w"] = table[stored]
        return numbered

    def _picture(self, name: str, modes: Sequence[str]) -> tuple[Int64[np.ndarray, "h w"], Mapping[str, Any]]:
        """A grey PNG as stored, with its texts."""
        try:
            with Image.open(io.BytesIO(self.tree.read(name)), formats=("PNG",)) as image:
                if image.mode not in modes:
                    msg = f"got mode {image.mode!r}"
                    raise ValueError(msg)
                return np.asarray(image).astype(np.int64), {str(key): text for key, text in image.info.items()}
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            msg = f"{self.tree.path / name}: expected a grey PNG ({', '.join(modes)}): {error}; download it again"
            raise DataError(msg) from error


def _near_enough(depth: Float32[np.ndarray, "h w"], valid: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    if not valid.any():
        return valid
    near: Bool[np.ndarray, "h w"] = depth <= np.quantile(depth[valid], _NEAR_SHARE) * _FARTHEST
    return near
