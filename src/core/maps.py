"""Single-channel maps on disk: ground truth and predictions as .npy, .npz, 16-bit .png, .exr, .dpt, .mat or HDF5."""

import contextlib
import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import OpenEXR
import scipy.io
from jaxtyping import Float32
from PIL import Image

from src.core.bounds import check_npy, check_npz
from src.core.errors import DataError
from src.core.map_containers import read_hdf5, read_matlab
from src.core.reading import read_bytes

MAP_SUFFIXES = (".npy", ".npz", ".png", ".exr", ".dpt", ".mat", ".h5", ".hdf5")
"""File types `read_map` reads, in lower case; upper case is accepted too."""

_ONE_MAP = (".npy", ".png", ".dpt")
_DAMAGED = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, IndexError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error, Image.DecompressionBombError, scipy.io.matlab.MatReadError,
)  # fmt: skip
_NPY_TAG = b"\x93NUMPY"
_EXACT_INTEGERS = 2**24  # float32 holds every integer up to here
_DPT_TAG = np.float32(202021.25).tobytes()
_EXR_WINDOWS = ("dataWindow", "displayWindow")


def read_map(path: Path, *, key: str | None = None, content: bytes | None = None) -> Float32[np.ndarray, "h w"]:
    """Read one map exactly as stored: no scaling, no repair, NaN and infinity included.

    Args:
        path: a file of one of `MAP_SUFFIXES`. A PNG must be 16-bit grey and gives its raw integers 0..65535; a .dpt is
            Sintel's tag, width, height and float32 values; a .mat may be of version 5 or 7.3.
        key: which array of an .npz, .mat or HDF5 file, or channel of an .exr, that holds several; None for the only
            one. The other types hold one map and take no key.
        content: the bytes of a file that lies in an archive, for which `path` is only the name; None to read them at
            `path`.

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
    if suffix not in MAP_SUFFIXES:
        msg = f"{path}: expected a map file of type {', '.join(MAP_SUFFIXES)}, got {suffix or 'no suffix'!r}"
        raise DataError(msg)
    if key is not None and suffix in _ONE_MAP:
        msg = f"{path}: a key selects one of several maps, and {suffix} files hold one; got key {key!r}, expected none"
        raise DataError(msg)
    try:
        if suffix == ".exr":
            with _on_disk(path, content) as name:
                array = _read_exr(name, path, key)
        else:
            array = _read(read_bytes(path) if content is None else content, path, key)
    except _DAMAGED as error:
        msg = f"{path}: expected a readable {suffix} map, but the file is damaged or of another type: {error}"
        raise DataError(msg) from error
    return _as_map(array, path)


def _read(content: bytes, path: Path, key: str | None) -> np.ndarray:
    match path.suffix.lower():
        case ".npy" | ".npz":
            return _read_numpy(content, path, key)
        case ".png":
            return _read_png(content, path)
        case ".dpt":
            return _read_dpt(content, path)
        case ".mat":
            arrays = read_matlab(content)
        case _:
            arrays = read_hdf5(content)
    return arrays[_select(list(arrays), key, path, "array")]


def _read_numpy(content: bytes, path: Path, key: str | None) -> np.ndarray:
    if content[: len(_NPY_TAG)] == _NPY_TAG:
        check_npy(io.BytesIO(content))
    loaded = np.load(io.BytesIO(content), allow_pickle=False)  # a pickle can run code
    if isinstance(loaded, np.ndarray):
        if path.suffix.lower() == ".npz":
            msg = f"{path}: expected an .npz archive, got a single array; rename the file to .npy"
            raise DataError(msg)
        return loaded
    with loaded:
        name = _select(loaded.files, key, path, "array")
        check_npz(io.BytesIO(content), name)
        return np.asarray(loaded[name])


def _read_png(content: bytes, path: Path) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        if image.mode != "I;16":
            msg = (
                f"{path}: expected a 16-bit grey PNG, got mode {image.mode!r}; 8 bits hold 256 depths at most "
                "and colours are no depths, so save the map as 16-bit grey, .npy, .npz or .exr"
            )
            raise DataError(msg)
        return np.asarray(image)


def _read_dpt(content: bytes, path: Path) -> np.ndarray:
    w, h = np.frombuffer(content[4:12], "<i4") if len(content) > 12 else (0, 0)
    if content[:4] != _DPT_TAG or min(w, h) < 1 or len(content) != 12 + 4 * int(w) * int(h):
        msg = (
            f"{path}: expected a readable .dpt map (tag 202021.25, width, height, float32 values), got "
            f"{len(content)} bytes for {w} x {h}; download it again"
        )
        raise DataError(msg)
    return np.frombuffer(content[12:], "<f4").reshape(h, w)


@contextlib.contextmanager
def _on_disk(path: Path, content: bytes | None) -> Iterator[str]:
    """Name of a file with the content, since OpenEXR reads nothing else; one made for this is gone afterwards."""
    if content is None:
        yield str(path)
        return
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(content)
        file.flush()
        yield file.name


def _read_exr(name: str, path: Path, key: str | None) -> np.ndarray:
    with OpenEXR.File(name, separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        windows = [tuple(tuple(int(side) for side in corner) for corner in header[kind]) for kind in _EXR_WINDOWS]
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
