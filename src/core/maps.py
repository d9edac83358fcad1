"""Single-channel maps on disk: ground truth and predictions as .npy, .npz, 16-bit .png or .exr."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
from jaxtyping import Float32
from PIL import Image

from src.core.errors import DataError

MAP_SUFFIXES = (".npy", ".npz", ".png", ".exr")
"""File types `read_map` reads, in lower case; upper case is accepted too."""

_EXACT_INTEGERS = 2**24  # float32 holds every integer up to here
_EXR_WINDOWS = ("dataWindow", "displayWindow")


def read_map(path: Path, *, key: str | None = None, content: bytes | None = None) -> Float32[np.ndarray, "h w"]:
    """Read one map exactly as stored: no scaling, no repair, NaN and infinity included.

    Args:
        path: a file of one of `MAP_SUFFIXES`. A PNG must be 16-bit grey and gives its raw integers 0..65535.
        key: which array of an .npz, or channel of an .exr, that holds several; None for the only one. The other types
            hold one map and take no key.
        content: the bytes of a file that lies in an archive, for which `path` is only the name; None to read them at
            `path`. Not for .exr, whose library reads files only.

    Returns:
        (h, w) float32. Axes of length one around the map are dropped. float64 is rounded to float32; integers are
        accepted up to 2**24, which float32 holds exactly.

    Raises:
        DataError: if the file is missing, damaged, empty, of another type, not numeric, or holds more than one map.
    """
    if content is None and not path.is_file():
        msg = f"{path}: expected a map file, but there is none"
        raise DataError(msg)
    suffix = path.suffix.lower()
    if key is not None and suffix in (".npy", ".png"):
        msg = f"{path}: a key selects one of several maps, and {suffix} files hold one; got key {key!r}, expected none"
        raise DataError(msg)
    source = path if content is None else io.BytesIO(content)
    try:
        match suffix:
            case ".npy" | ".npz":
                array = _read_numpy(source, path, key)
            case ".png":
                array = _read_png(source, path)
            case ".exr" if content is not None:
                msg = f"{path}: expected an .exr in a folder, since it cannot be read in an archive; unpack it"
                raise DataError(msg)
            case ".exr":
                array = _read_exr(path, key)
            case _:
                msg = f"{path}: expected a map file of type {', '.join(MAP_SUFFIXES)}, got {suffix or 'no suffix'!r}"
                raise DataError(msg)
    except (OSError, EOFError, SyntaxError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        msg = f"{path}: expected a readable {suffix} map, but the file is damaged or of another type: {error}"
        raise DataError(msg) from error
    return _as_map(array, path)


def _read_numpy(source: Path | io.BytesIO, path: Path, key: str | None) -> np.ndarray:
    loaded = np.load(source, allow_pickle=False)  # a pickle can run code
    if isinstance(loaded, np.ndarray):
        if path.suffix.lower() == ".npz":
            msg = f"{path}: expected an .npz archive, got a single array; rename the file to .npy"
            raise DataError(msg)
        return loaded
    with loaded:
        return np.asarray(loaded[_select(loaded.files, key, path, "array")])


def _read_png(source: Path | io.BytesIO, path: Path) -> np.ndarray:
    with Image.open(source, formats=("PNG",)) as image:
        if image.mode != "I;16":
            msg = (
                f"{path}: expected a 16-bit grey PNG, got mode {image.mode!r}; 8 bits hold 256 depths at most "
                "and colours are no depths, so save the map as 16-bit grey, .npy, .npz or .exr"
            )
            raise DataError(msg)
        return np.asarray(image)


def _read_exr(path: Path, key: str | None) -> np.ndarray:
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        windows = [tuple(tuple(int(side) for side in corner) for corner in header[name]) for name in _EXR_WINDOWS]
        if windows[0] != windows[1]:
            msg = f"{path}: expected an EXR whose pixels fill its frame, got data window {windows[0]} in {windows[1]}"
            raise DataError(msg)
        return np.array(channels[_select(list(channels), key, path, "channel")].pixels)


def _select(names: list[str], key: str | None, path: Path, what: str) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key is None or key not in names:
        wanted = f"one {what}, or a key naming one" if key is None else f"the {what} {key!r}"
        msg = f"{path}: expected {wanted}, got {names}"
        raise DataError(msg)
    return key


def _as_map(array: np.ndarray, path: Path) -> Float32[np.ndarray, "h w"]:
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or array.size == 0:
        msg = f"{path}: expected a map of shape (height, width) with at least one pixel, got shape {shape}"
        raise DataError(msg)
    if array.dtype.kind in "iu":
        if max(-int(array.min()), int(array.max())) > _EXACT_INTEGERS:
            msg = (
                f"{path}: expected integers up to {_EXACT_INTEGERS}, got {array.min()}..{array.max()}; save as float32"
            )
            raise DataError(msg)
    elif array.dtype.kind != "f" or array.dtype.itemsize > 8:
        msg = f"{path}: expected real numbers (float16, float32, float64 or integers), got {array.dtype}"
        raise DataError(msg)
    elif array.dtype.itemsize == 8 and np.any(np.isfinite(array) & (np.abs(array) > np.finfo(np.float32).max)):
        msg = f"{path}: expected values that fit float32, got a magnitude above {np.finfo(np.float32).max:.3g}"
        raise DataError(msg)
    return np.ascontiguousarray(array, dtype=np.float32)
