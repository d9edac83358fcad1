"""Read the arrays that a run has kept of some of its images."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from src.core.errors import RecordsError
from src.records.schema import PANELS_FOLDER


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One image, its ground truth and one prediction for it, on the coarser grid that a run keeps.

    Attributes:
        index: position in the split.
        sample_id: name of the image.
        image: (h, w, 3) sRGB.
        depth: (h, w) metres.
        valid: (h, w), where the depth counts.
        aligned: (h, w) metres, as scored.
        intrinsics: (3, 3), of this grid; None where the data set does not know them.
    """

    index: int
    sample_id: str
    image: UInt8[np.ndarray, "h w 3"]
    depth: Float32[np.ndarray, "h w"]
    valid: Bool[np.ndarray, "h w"]
    aligned: Float32[np.ndarray, "h w"]
    intrinsics: Float64[np.ndarray, "3 3"] | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.valid.shape
        return height, width

    @property
    def identity(self) -> tuple[int, str, str]:
        """Equal for panels that show the same image and ground truth."""
        pixels = b"".join(np.ascontiguousarray(array).tobytes() for array in (self.image, self.depth, self.valid))
        return self.index, self.sample_id, hashlib.sha256(pixels).hexdigest()


def panel_files(folder: Path) -> dict[int, Path]:
    """Return the files of panels of a cell by the position of their image.

    Raises:
        RecordsError: if a file is not named by a position.
    """
    files = sorted((folder / PANELS_FOLDER).glob("*.npz"))
    odd = [file for file in files if not file.stem.isdecimal()]
    if odd:
        msg = f"{odd[0]}: expected a file named by the position of its image, as in 000012.npz; remove it"
        raise RecordsError(msg)
    return {int(file.stem): file for file in files}


def read_panel(file: Path, protocol: str, *, expected: str | None) -> Panel:
    """Read what was kept of one image, with its prediction as aligned by one protocol.

    Args:
        file: of the panels.
        protocol: name of the protocol.
        expected: name of the image at this position in the records; None where they hold no such position.

    Raises:
        RecordsError: if the file is unreadable or does not belong to the records; the message names it.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in ("image", "depth", "valid")}
            content["aligned"] = arrays[f"aligned_{protocol}"]
            sample_id, index = str(arrays["sample_id"]), int(file.stem)
            intrinsics = arrays.get("intrinsics")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{file}: expected panels written by a run, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error
    shapes = [array.shape for array in content.values()]
    if shapes != [(*content["valid"].shape, 3), *[content["valid"].shape] * 3]:
        msg = (
            f"{file}: expected an image and maps of one size, got {', '.join(map(str, shapes))}; run the cell again "
            "with force=true"
        )
        raise RecordsError(msg)
    panel = Panel(index=index, sample_id=sample_id, intrinsics=intrinsics, **content)
    if panel.sample_id != expected:
        msg = (
            f"{file}: expected an image of the cell's records, got {panel.sample_id!r} at position {panel.index}; "
            "run the cell again with force=true"
        )
        raise RecordsError(msg)
    return panel
