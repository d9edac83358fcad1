"""Predictions made elsewhere, read from disk by the name of the image."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from src.core.errors import ConfigError, DataError
from src.core.maps import MAP_SUFFIXES, read_map
from src.core.prediction import OutputSpace
from src.core.resize import resize
from src.model.base import DepthModel, Provenance
from src.records.schema import PREDICTIONS_FILE

_RESIZE: dict[str, dict[str, Any]] = {
    "bilinear": {"mode": "bilinear"},
    "bilinear_aligned": {"mode": "bilinear", "align_corners": True},
    "bicubic": {"mode": "bicubic"},
}


class Saved(DepthModel):
    """Maps in a folder, `<folder>/<sample id>.npy`, `.npz`, `.png` (16-bit) or `.exr`, one for every image.

    Args:
        folder: holds the maps; sample ids with slashes are subfolders.
        space: value of the `OutputSpace` that the maps are in; null for predictions of this software, which say it in
            `predictions.json`.
        key: array of an .npz or channel of an .exr that holds several; null for the only one, or the one named there.
        scale: factor from stored values to those of the space, such as 0.001 for millimetres in a 16-bit .png.
        resize: how maps of another size than the image are brought to its size. "none": an error; "bilinear" and
            "bicubic": half-pixel centres as in OpenCV; "bilinear_aligned": corners stay corners (align_corners=True).
            None of them antialiases.

    Raises:
        ConfigError: on an unknown space or resize rule, or if the predictions say that they are in another space.
    """

    def __init__(self, *, folder: str, space: str | None, key: str | None, scale: float, resize: str) -> None:
        super().__init__()
        if resize not in ("none", *_RESIZE):
            msg = f"saved: expected resize to be none, {', '.join(_RESIZE)}, got {resize!r}"
            raise ConfigError(msg)
        self.folder = Path(folder).expanduser()
        said = _said(self.folder)
        self.space = _space(space, said.get("space"), self.folder)
        self.key = key or said.get("key")
        self._of_weights: dict[str, Any] = said.get("provenance", {})
        self.scale = scale
        self.resampling = resize

    def load(self) -> None:
        """Check that the folder is there; maps are read one by one.

        Raises:
            DataError: if it is not.
        """
        if not self.folder.is_dir():
            msg = f"model.folder={self.folder}: expected a folder of predictions, but there is none"
            raise DataError(msg)

    def files(self, names: Sequence[str]) -> list[Path]:
        """Return the map of each image that has one."""
        return [path for name in names for path in self._candidates(name) if path.is_file()]

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The image's own size: what the network saw is not known here."""
        return size

    @property
    def provenance(self) -> Provenance:
        """The folder, and what forbids to rank its predictions where they say so themselves."""
        said = self._of_weights
        return Provenance(
            weights=str(self.folder),
            random_weights=bool(said.get("random_weights")),
            uses_ground_truth=bool(said.get("uses_ground_truth")),
            space_declared=bool(said.get("space_declared", not said)),
        )

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Read the predictions of these images.

        Raises:
            DataError: if one is missing, ambiguous, unreadable or of the wrong size.
        """
        size = (image.shape[-2], image.shape[-1])
        return torch.cat([self._read(name, size) for name in sample_id]).to(image.device)

    def _read(self, name: str, size: tuple[int, int]) -> Float32[Tensor, "1 1 h w"]:
        path = self._path(name)
        values = torch.from_numpy(read_map(path, key=self.key))[None, None] * self.scale
        found = tuple(values.shape[-2:])
        if found != size and self.resampling == "none":
            msg = (
                f"prediction {path}: expected the image's {size[0]} x {size[1]} pixels, got {found[0]} x {found[1]}; "
                f"set model.resize to one of {', '.join(_RESIZE)} if that is how it should be brought to size"
            )
            raise DataError(msg)
        return values if found == size else resize(values, size, **_RESIZE[self.resampling])

    def _path(self, name: str) -> Path:
        candidates = self._candidates(name)
        found = [path for path in candidates if path.is_file()]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(str(path) for path in found or candidates)
        if found:
            msg = f"sample {name!r} has several predictions: {listed}; keep one of them"
        else:
            msg = f"no prediction for sample {name!r}: expected one of {listed}"
        raise DataError(msg)

    def _candidates(self, name: str) -> list[Path]:
        # not with_suffix: what follows the last dot of an id is no suffix
        return [self.folder / f"{name}{suffix}" for suffix in MAP_SUFFIXES]


def _said(folder: Path) -> dict[str, Any]:
    """What was written down beside the maps, or one folder above them, by the run that predicted them."""
    for path in (folder / PREDICTIONS_FILE, folder.parent / PREDICTIONS_FILE):
        if path.is_file():
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return content
    return {}


def _space(given: str | None, said: str | None, folder: Path) -> OutputSpace:
    if given is None and said is None:
        msg = f"model.space: expected one of {', '.join(OutputSpace)}, since {folder} does not say what its maps are in"
        raise ConfigError(msg)
    if given is not None and said is not None and given != said:
        msg = f"model.space={given}: the maps in {folder} were predicted in {said}; leave model.space out"
        raise ConfigError(msg)
    return OutputSpace.named(str(given or said))
