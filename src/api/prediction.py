"""predict: maps of one's own pictures, by the path of `python -m src.predict`."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from src.api.composing import Choice, composed, words
from src.core.errors import DataError
from src.engine.cell.build import Builder
from src.engine.prediction.predict import run_prediction
from src.engine.prediction.request import read_prediction_request

Picture = UInt8[np.ndarray, "..."]  # (h, w, 3), each of its own size


class PredictedMaps(Mapping[str, Float32[np.ndarray, "h w"]]):
    """Predicted maps by the name of their picture, read from disk when they are looked at.

    Args:
        files: by name.
        folder: of the predictions; gone where pictures were given as arrays.

    Attributes:
        folder: the same.
    """

    def __init__(self, files: Mapping[str, Path], folder: Path) -> None:
        self._files = dict(files)
        self.folder = folder

    def __getitem__(self, name: str) -> Float32[np.ndarray, "h w"]:
        """Read a map, in the units of the model's output space."""
        values: Float32[np.ndarray, "h w"] = np.load(self._files[name])
        return values

    def __iter__(self) -> Iterator[str]:
        """Go over the names."""
        return iter(self._files)

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._files)


def predict(model: Choice, images: str | Path, **settings: Any) -> PredictedMaps:
    """Predict for pictures on disk, as `python -m src.predict` does; a second call goes on where the first stopped.

    Args:
        model: as on the command line, or {"name": ..., key: value}.
        images: folder with all below it, a file, or a pattern.
        settings: further keys of the command line, such as write=["npy", "colour"] or field_of_view=60.

    Returns:
        The maps by name of their picture; their folder holds every format that was asked for.

    Raises:
        LeadlineError: what the command line would print, in one line.
    """
    settings = {"write": ["npy"], "trainer": {"enable_progress_bar": False}, **settings}
    settings["write"] = list(dict.fromkeys(["npy", *settings["write"]]))
    with composed("predict", words(model=model, images=images, **settings)) as (cfg, folder):
        request = read_prediction_request(cfg)
        folder.mkdir(parents=True, exist_ok=True)
        found = run_prediction(request, Builder(cfg), folder)
    names = [] if found is None else list(found.written)
    return PredictedMaps({name: folder / "npy" / f"{name}.npy" for name in names}, folder)


def predict_arrays(model: Choice, images: Sequence[Picture], **settings: Any) -> list[Float32[np.ndarray, "_ _"]]:
    """Predict for pictures in memory, by the same path, through a temporary folder.

    Args:
        model: as `predict` takes it.
        images: (h, w, 3) sRGB bytes each.
        settings: as `predict` takes them.

    Raises:
        DataError: if something is no picture.
        LeadlineError: as `predict`.
    """
    for number, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            kind = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            msg = f"image {number}: expected (h, w, 3) uint8 sRGB, got {kind}"
            raise DataError(msg)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "images")
        folder.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{number:06}.png")
        maps = predict(model, folder, **settings, output=str(Path(place, "predictions")))
        return [np.array(maps[name]) for name in sorted(maps)]
