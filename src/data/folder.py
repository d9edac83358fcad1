"""Your own images and ground truth, from folders that mirror each other."""

import functools
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.core.maps import MAP_SUFFIXES, read_map
from src.data.base import DepthDataset, Frame
from src.data.decode import IMAGE_SUFFIXES, read_rgb

_MASK_MODES = ("1", "L", "I;16")
_SHOWN = 3


class Folder(DepthDataset):
    """Images and ground truth of your own; each image `a/b.jpg` is paired with the map `a/b.png` (or .npy, .npz, .exr).

    Source, licence, counts and citation: yours. Files pair by their path below the folder, without suffix; that path is
    the sample id, and its first folder, if any, the group. A file without partner is an error, never left out. Hidden
    files and files of other types are not looked at; names are compared in Unicode's composed form (NFC).
    Units: z-depth = value x `depth_scale` metres; zero, negative, infinite and NaN values are not measured.
    Crop: the masks, if any: grey PNG of the image's size, 0 where a pixel must not count.

    Args:
        images: folder of 8-bit images (see `decode.read_rgb` for what is refused).
        depth: folder of maps, on the pixel grid of their image (see `core.maps.read_map`).
        depth_scale: metres per stored unit: 0.001 for millimetres, 0.00390625 (1/256) for KITTI's PNGs, 1 for metres.
        depth_range: (nearest, farthest) in metres.
        masks: folder of masks, or None.
        intrinsics: the camera of all images, or None: [fx, fy, cx, cy], three rows of three, or a text file of these
            numbers. In pixels, pixel centres at integer + 0.5: add 0.5 to the cx and cy of an OpenCV calibration.
        depth_key: which array of .npz or channel of .exr files, where they hold several.
    """

    family = "own"

    def __init__(
        self,
        *,
        images: str | Path,
        depth: str | Path,
        depth_scale: float,
        depth_range: Sequence[float],
        masks: str | Path | None,
        intrinsics: str | Path | Sequence[Any] | None,
        depth_key: str | None,
    ) -> None:
        super().__init__(depth_range=depth_range)
        if not 0 < depth_scale < np.inf:
            msg = f"depth_scale: expected metres per stored unit, more than 0, got {depth_scale}"
            raise ConfigError(msg)
        folders = {"images": images, "depth": depth, "masks": masks}
        self._folders = {name: Path(folder).expanduser() for name, folder in folders.items() if folder is not None}
        self.depth_scale = depth_scale
        self.depth_key = depth_key
        self._intrinsics = None if intrinsics is None else parse_intrinsics(intrinsics)

    def index(self) -> Sequence[str]:
        """Pair the files; ids are relative paths without suffix, in alphabetical order."""
        images = self._files["images"]
        for name, others in self._files.items():
            alone, missing = sorted(others.keys() - images.keys()), sorted(images.keys() - others.keys())
            if (alone or missing) and not self.lists_incomplete:
                msg = (
                    f"{name}: expected one file in {self._folders[name]} for each image in "
                    f"{self._folders['images']}, with the same path but for the suffix; {len(missing)} of "
                    f"{len(images)} images have none {missing[:_SHOWN]} and {len(alone)} of {len(others)} files have "
                    f"no image {alone[:_SHOWN]}"
                )
                raise DataError(msg)
        return sorted(images)

    def read(self, i: int) -> Frame:
        """Decode image, map and mask number `i`."""
        name = self.sample_ids[i]
        for kind, files in self._files.items():
            if name not in files:
                msg = f"{kind}: expected a file {name}.* in {self._folders[kind]}, there is none"
                raise DataError(msg)
        image = read_rgb(self._files["images"][name])
        depth = read_map(self._files["depth"][name], key=self.depth_key).astype(np.float64) * self.depth_scale
        mask = _read_mask(self._files["masks"][name], depth.shape) if "masks" in self._files else None
        return Frame(
            image=image,
            depth=depth.astype(np.float32),
            valid=mask,
            intrinsics=self._intrinsics,
            group=name.split("/")[0] if "/" in name else "",
        )

    @functools.cached_property
    def _files(self) -> dict[str, dict[str, Path]]:
        suffixes = {"images": IMAGE_SUFFIXES, "depth": MAP_SUFFIXES, "masks": (".png",)}
        return {name: _list(folder, suffixes[name], name) for name, folder in self._folders.items()}


def _list(folder: Path, suffixes: Sequence[str], name: str) -> dict[str, Path]:
    """Files below `folder`, through links too, by relative path without suffix."""
    if not folder.is_dir():
        msg = f"{name}: expected a folder, and {folder.absolute()} is none"
        raise DataError(msg)
    files: dict[str, Path] = {}
    for root, _, names in os.walk(folder, followlinks=True):
        for path in (Path(root, file) for file in sorted(names)):
            if path.suffix.lower() not in suffixes or path.name.startswith("."):
                continue
            key = unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())
            if key in files:
                msg = f"{name}: expected one file per path without suffix, got {files[key]} and {path}"
                raise DataError(msg)
            files[key] = path
    if not files:
        msg = f"{name}: expected files of type {', '.join(suffixes)} below {folder.absolute()}, found none"
        raise DataError(msg)
    return files


def _read_mask(path: Path, size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            mode, mask = image.mode, np.asarray(image).astype(bool)
    except (OSError, SyntaxError, ValueError) as error:
        msg = f"{path}: expected a readable PNG mask: {error}"
        raise DataError(msg) from error
    if mode not in _MASK_MODES or mask.shape != size:
        msg = (
            f"{path}: expected a grey mask of the map's (height, width) {size}, got mode {mode!r} and {mask.shape[:2]}"
        )
        raise DataError(msg)
    return mask


def parse_intrinsics(source: str | Path | Sequence[Any]) -> Float32[np.ndarray, "3 3"]:
    """Return the camera that a configuration gives: 4 or 9 numbers, or a text file of them.

    Raises:
        DataError: if it gives none.
    """
    try:
        if isinstance(source, str | Path):
            text = Path(source).expanduser().read_text(encoding="utf-8")
            values = np.array([float(word) for word in text.replace(",", " ").split()])
        else:
            values = np.array(source, np.float64).reshape(-1)
    except (OSError, ValueError) as error:
        msg = f"intrinsics: expected 4 or 9 numbers or a text file of them, got {source}: {error}"
        raise DataError(msg) from error
    if values.size == 4:
        fx, fy, cx, cy = values
        values = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    if values.size != 9 or not (values[[3, 6, 7, 8]] == (0, 0, 0, 1)).all() or not min(values[0], values[4]) > 0:
        msg = (
            "intrinsics: expected fx fy cx cy, or the rows fx s cx, 0 fy cy, 0 0 1, with fx and fy above 0, got "
            f"{values.tolist()}"
        )
        raise DataError(msg)
    return values.reshape(3, 3).astype(np.float32)
