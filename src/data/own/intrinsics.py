"""The camera of own images, as people keep it."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from src.core.errors import DataError
from src.core.reading import read_bytes

INTRINSICS_SUFFIXES = (".txt", ".npy", ".json")
_NAMES = ("fx", "fy", "cx", "cy")


def parse_intrinsics(source: str | Path | Sequence[Any], *, content: bytes | None = None) -> Float32[np.ndarray, "3 3"]:
    """Return the camera that a configuration gives: 4 or 9 numbers, or a file of them.

    A file is text, .npy, or .json: a list, or an object with fx, fy, cx and cy.

    Args:
        source: the numbers or the file.
        content: the bytes of a file that lies in an archive, for which `source` is only the name.

    Raises:
        DataError: if it gives none; the message names the file.
    """
    try:
        values = _read(Path(source).expanduser(), content) if isinstance(source, str | Path) else source
        numbers = np.array(values, np.float64).reshape(-1)
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        msg = f"intrinsics: expected 4 or 9 numbers or a file of them (text, .npy, .json), got {source}: {error!r}"
        raise DataError(msg) from error
    matrix = numbers
    if numbers.size == 4:
        fx, fy, cx, cy = numbers
        matrix = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    if (
        matrix.size != 9
        or not np.isfinite(matrix).all()
        or not (matrix[[3, 6, 7, 8]] == (0, 0, 0, 1)).all()
        or not (matrix[[0, 4]] > 0).all()
    ):
        place = f" in {source}" if isinstance(source, str | Path) else ""
        msg = (
            "intrinsics: expected fx fy cx cy, or the rows fx s cx, 0 fy cy, 0 0 1, with fx and fy above 0, got "
            f"{numbers.tolist()}{place}"
        )
        raise DataError(msg)
    return matrix.reshape(3, 3).astype(np.float32)


def _read(path: Path, content: bytes | None) -> Any:
    content = read_bytes(path) if content is None else content
    if path.suffix.lower() == ".npy":
        return np.load(io.BytesIO(content), allow_pickle=False)
    text = content.decode()
    if path.suffix.lower() == ".json":
        values = json.loads(text)
        return [values[name] for name in _NAMES] if isinstance(values, Mapping) else values
    return [float(word) for word in text.replace(",", " ").split()]
