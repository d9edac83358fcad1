"""The arrays of an .npz file, every byte of them held against the checksums that it has."""

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from src.core.errors import RecordsError

DAMAGE = (
    OSError,
    ValueError,  # what numpy says to a header that is none
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RuntimeError,  # encrypted, or packed in a way that is not known
    MemoryError,  # which a damaged length asks for
    SyntaxError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
)
"""What flipped bits in an .npz make its readers raise."""


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays, whole: `numpy.load` stops where an array ends, before the checksum of a member that is longer.

    Args:
        path: of the file.
        names: of the arrays; None for all that it has. Those that it lacks are left out.

    Raises:
        RecordsError: if it is missing or damaged, or holds something else than arrays of plain values.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = {member.removesuffix(".npy"): member for member in file.namelist()}
            wanted = members if names is None else {name: members[name] for name in names if name in members}
            return {name: _array(file.read(member)) for name, member in wanted.items()}
    except DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"{path}: expected arrays written by a run, but {reason}; run the cell again with force=true"
        raise RecordsError(msg) from error


def _array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        msg = "an array is followed by something else"
        raise ValueError(msg)
    return array
