"""Your own pictures without ground truth, to be predicted, not scored."""

import functools
import math
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ExifTags, Image, ImageFile, ImageOps

from src.core.errors import ConfigError, DataError
from src.data.base import DepthDataset, Frame
from src.data.own.intrinsics import parse_intrinsics
from src.data.storage.decode import IMAGE_FORMATS, IMAGE_SUFFIXES, open_image
from src.records.schema import PREDICTIONS_FILE

_WILDCARDS = "*?["
_LOSSLESS_TO_RGB = ("RGB", "L", "P", "1")
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")


class Photos(DepthDataset):
    """Pictures of your own: a folder with all below it, one file, or a pattern such as `photos/**/*.jpg`.

    The id of a picture is its path without suffix below the folder, below the part of the pattern that holds no
    wildcard, or its name alone. Hidden files, files of other types and what a prediction has written are not looked at.
    There is no ground truth: no pixel counts. What has been changed to get 8-bit sRGB the right way up (see
    `read_picture`) is the sample's slice.

    Args:
        images: folder, file or pattern.
        intrinsics: the camera of all pictures, or None: as `src.data.own.folder.Folder` takes it.
        field_of_view: of all pictures, horizontal, in degrees, with square pixels and the principal point in the
            middle; or None. At most one of the two.

    Raises:
        ConfigError: if both are given, or the field of view is none.
    """

    family = "own"

    def __init__(
        self, *, images: str | Path, intrinsics: str | Path | Sequence[Any] | None, field_of_view: float | None
    ) -> None:
        super().__init__(depth_range=(0.0, math.inf))
        if intrinsics is not None and field_of_view is not None:
            msg = f"expected intrinsics or field_of_view, got both: {intrinsics} and {field_of_view}"
            raise ConfigError(msg)
        if field_of_view is not None and not 0 < field_of_view < 180:
            msg = f"field_of_view: expected degrees between 0 and 180, got {field_of_view}"
            raise ConfigError(msg)
        self.images = str(images)
        self._intrinsics = None if intrinsics is None else parse_intrinsics(intrinsics)
        self._field_of_view = field_of_view

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """The pictures by their id.

        Raises:
            DataError: if there are none, or two have one id.
        """
        root, paths = _find(self.images)
        files: dict[str, Path] = {}
        for path in paths:
            name = unicodedata.normalize("NFC", path.relative_to(root).with_suffix("").as_posix())
            if name in files:
                msg = f"images: expected one file per path without suffix, got {files[name]} and {path}"
                raise DataError(msg)
            files[name] = path
        return files

    def index(self) -> Sequence[str]:
        """List the pictures in alphabetical order."""
        return sorted(self.files)

    def read(self, i: int) -> Frame:
        """Decode picture number `i`."""
        image, change = read_picture(self.files[self.sample_ids[i]])
        height, width = image.shape[:2]
        return Frame(
            image=image,
            depth=np.zeros((height, width), np.float32),
            intrinsics=self._camera(height, width),
            slice=change,
        )

    def _camera(self, height: int, width: int) -> Float32[np.ndarray, "3 3"] | None:
        if self._field_of_view is None:
            return self._intrinsics
        focal = width / 2 / math.tan(math.radians(self._field_of_view) / 2)
        return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float32)


def read_picture(path: Path) -> tuple[UInt8[np.ndarray, "h w 3"], str]:
    """Read a picture as 8-bit sRGB, the right way up.

    Returns:
        (h, w, 3), and in words what had to be changed for it; "" if nothing had.

    Raises:
        DataError: if the file is damaged, animated, or of a kind that has no plain meaning in 8-bit sRGB.
    """
    try:
        with open_image(path) as image:
            _refuse(image, path)
            deep = ";16" in str(image.tile) or image.mode in _DEEP
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            upright = ImageOps.exif_transpose(image)
            pixels, seen_through = _as_rgb(upright)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        msg = f"{path}: expected a readable image ({', '.join(IMAGE_FORMATS)}): {error}"
        raise DataError(msg) from error
    changes = {
        "cut from 16 to 8 bits": deep,
        "transparency filled with white": seen_through,
        f"turned upright (EXIF orientation {orientation})": orientation not in (0, 1),
    }
    return pixels, ", ".join(change for change, made in changes.items() if made)


def _refuse(image: ImageFile.ImageFile, path: Path) -> None:
    if getattr(image, "n_frames", 1) > 1:
        msg = f"{path}: expected one picture, got several in one file; save the one that is meant as a file of its own"
        raise DataError(msg)
    if image.mode not in (*_LOSSLESS_TO_RGB, *_WITH_ALPHA, *_DEEP):
        msg = (
            f"{path}: expected a grey, palette, RGB or RGBA picture, got mode {image.mode!r}; convert it to 8-bit sRGB"
        )
        raise DataError(msg)


def _as_rgb(image: Image.Image) -> tuple[UInt8[np.ndarray, "h w 3"], bool]:
    """Return the pixels, and whether any of them was transparent."""
    if image.mode in _DEEP:
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), False
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image)[..., 3].min() < 255:
            return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")), True
    return np.array(image.convert("RGB")), False


def _find(images: str) -> tuple[Path, list[Path]]:
    """Return the folder that ids are relative to, and the pictures in alphabetical order."""
    path = Path(images).expanduser()
    if path.is_file():
        return path.parent, [path]
    if path.is_dir():
        root = path
        found = [Path(folder) / name for folder, _, names in os.walk(path, followlinks=True) for name in names]
    elif any(sign in images for sign in _WILDCARDS):
        root = Path(*path.parts[: _first_wildcard(path.parts)])
        found = list(root.glob(str(path.relative_to(root))))
    else:
        msg = f"images={images}: expected a folder, a file or a pattern such as 'photos/**/*.jpg', but there is none"
        raise DataError(msg)
    pictures = [
        one
        for one in found
        if one.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in one.relative_to(root).parts)
        and not any((folder / PREDICTIONS_FILE).is_file() for folder in one.parents)
    ]
    if not pictures:
        msg = f"images={images}: expected files of type {', '.join(IMAGE_SUFFIXES)}, found none"
        raise DataError(msg)
    return root, sorted(pictures)


def _first_wildcard(parts: Sequence[str]) -> int:
    return next(place for place, part in enumerate(parts) if any(sign in part for sign in _WILDCARDS))
