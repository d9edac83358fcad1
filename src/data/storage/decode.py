"""Image files as sRGB bytes, or an error: nothing is rotated, blended or cut to 8 bits in passing."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from src.core.errors import DataError
from src.core.reading import read_bytes

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""File types `read_rgb` reads, in lower case; upper case is accepted too."""

HEADER_BYTES = 2**16
"""As much of a file as tells the size of its image, unless a large thumbnail comes first."""

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""The same as Pillow calls them, which goes by the content."""

_LOSSLESS_TO_RGB = ("RGB", "L", "P", "1")


def read_rgb(path: Path, *, content: bytes | None = None, as_stored: bool = False) -> UInt8[np.ndarray, "h w 3"]:
    """Read an 8-bit image; grey and palette images become RGB without loss.

    Args:
        path: the file; with `content`, only its name, for messages.
        content: the bytes of a file that lies in an archive; None to read them at `path`.
        as_stored: the ground truth is known to lie on the stored pixels, whatever a tag says about showing them.

    Raises:
        DataError: if the file is missing, damaged, 16-bit, transparent, in another colour space, animated, or tagged
            to be shown rotated (its ground truth could be meant for either orientation).
    """
    try:
        with open_image(path, content=content) as image:
            fault = _fault(image, as_stored=as_stored)
            if fault is None:
                return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        msg = f"{path}: expected a readable image ({', '.join(IMAGE_FORMATS)}): {error}"
        raise DataError(msg) from error
    msg = f"{path}: {fault}"
    raise DataError(msg)


def open_image(
    path: Path, *, content: bytes | None = None, formats: tuple[str, ...] = IMAGE_FORMATS
) -> ImageFile.ImageFile:
    """Open an image that lies in memory in full, so that reading it and decoding it can be told apart.

    Args:
        path: the file.
        content: its bytes; None to read them at `path`.
        formats: that are accepted.

    Raises:
        OSError: if the file is missing or of another type, and whatever Pillow raises on damaged ones.
    """
    content = read_bytes(path) if content is None else content
    try:
        return Image.open(io.BytesIO(content), formats=formats)
    except UnidentifiedImageError:  # Pillow's words name an object in memory
        msg = "its content is of another type, or damaged"
        raise UnidentifiedImageError(msg) from None


def read_size(head: bytes) -> tuple[int, int] | None:
    """Height and width of an image from the beginning of its file; None where it does not tell.

    Args:
        head: the first `HEADER_BYTES` bytes, or the whole file.
    """
    try:
        with Image.open(io.BytesIO(head), formats=IMAGE_FORMATS) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _fault(image: ImageFile.ImageFile, *, as_stored: bool) -> str | None:
    """What keeps `image` from being read as it is, with the way out; None if nothing does."""
    if ";16" in str(image.tile):  # Pillow would drop the lower byte of 16-bit colour when it loads
        return "expected 8 bits per channel, got 16; convert the image to 8-bit sRGB"
    if image.mode not in _LOSSLESS_TO_RGB or "transparency" in image.info:
        return f"expected an opaque RGB or grey image, got mode {image.mode!r} with {[*image.info]}; convert it to RGB"
    if getattr(image, "n_frames", 1) > 1:
        return "expected one picture, got several in one file; save the one that is meant as a file of its own"
    orientation = 1 if as_stored else image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation != 1:
        return (
            f"expected an image stored upright, got EXIF orientation {orientation}; rotate the pixels to match the "
            "ground truth and remove the tag"
        )
    return None
