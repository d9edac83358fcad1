"""Arrays in files that hold several by name: MATLAB's .mat of both kinds, and HDF5."""

import io
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import scipy.io

from src.core.bounds import check_values

_HDF5_TAG = b"\x89HDF\r\n\x1a\n"
_MATLAB_HEADER = 512  # bytes in front of the HDF5 that a .mat of version 7.3 is


def read_matlab(content: bytes) -> dict[str, np.ndarray]:
    """Return the numeric arrays of a .mat file by name, rows first as MATLAB shows them.

    Version 7.3 is HDF5, which MATLAB fills column first; its arrays are turned round.

    Raises:
        ValueError, OSError and others: what the readers raise on damaged files.
    """
    if content[_MATLAB_HEADER : _MATLAB_HEADER + len(_HDF5_TAG)] == _HDF5_TAG:
        return {name: array.T for name, array in read_hdf5(content).items()}
    arrays: dict[str, Any] = scipy.io.loadmat(io.BytesIO(content))
    return {
        name: np.asarray(value)
        for name, value in arrays.items()
        if not name.startswith("__") and np.asarray(value).dtype.kind in "fiub"
    }


def read_hdf5(content: bytes) -> dict[str, np.ndarray]:
    """Return the numeric arrays of an HDF5 file by path, such as "camera/depth".

    Raises:
        OSError: if it is none or damaged.
        ValueError: if one of them is too large for a map.
    """
    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: Any) -> None:
        # MATLAB keeps what references point to, cells and the like, in #refs#
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and not name.startswith("#"):
            check_values(item.shape)
            found[name] = item[()]

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(keep)
    return found
