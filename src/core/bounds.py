"""How large one file may be, and the map or image in it; asked before memory is."""

import math
import zipfile
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

MOST_PIXELS: Final = 2 * 89_478_485
"""Of one map or image: 178,956,970, as many as Pillow decodes at most."""
MOST_BYTES: Final = 2**32
"""Of one file that is read whole, packed or unpacked: 4 GiB, more than twice a float64 map of that many pixels."""


def check_values(shape: Sequence[int]) -> None:
    """Refuse an array that is too large for a map.

    Raises:
        ValueError: with its shape.
    """
    if math.prod(shape) > MOST_PIXELS:
        msg = f"it claims {' x '.join(map(str, shape))} values, and a map holds {MOST_PIXELS} at most"
        raise ValueError(msg)


def check_bytes(size: int) -> None:
    """Refuse a file that is too large to be read whole.

    Raises:
        ValueError: with its size.
    """
    if size > MOST_BYTES:
        msg = f"it claims {size} bytes, and {MOST_BYTES} are read at most"
        raise ValueError(msg)


def check_npy(file: Any) -> None:
    """Refuse what an .npy says of its shape if that is too large for a map.

    Raises:
        ValueError: with its shape, or if it is no .npy.
    """
    version = np.lib.format.read_magic(file)
    read: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    check_values(read(file)[0])


def check_npz(file: Any, name: str) -> None:
    """Refuse one array of an .npz if it is too large for a map.

    Raises:
        ValueError: with its shape.
        BadZipFile: if the archive is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        member = name if name in archive.namelist() else f"{name}.npy"
        check_bytes(archive.getinfo(member).file_size)
        with archive.open(member) as content:
            check_npy(content)
