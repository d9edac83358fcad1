"""Valid pixels of a cell kept on disk while it runs, `pixels/<sample id>.npz`: for fits that several images share."""

import shutil
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import torch

from src.core.errors import RecordsError
from src.core.packing import split, valid_pixels
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample

FOLDER: Final = "pixels"


def pixel_file(cell: Path, name: str) -> Path:
    """Where a cell keeps the valid pixels of an image."""
    # not with_suffix: what follows the last dot of an id is no suffix
    return cell / FOLDER / f"{name}.npz"


def has_pixels(cell: Path, name: str) -> bool:
    """Whether the pixels of an image are there to the last byte, where .npz files have their table of contents."""
    try:
        with zipfile.ZipFile(pixel_file(cell, name)) as file:
            return "depth.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def write_pixels(cell: Path, sample: Sample, prediction: Prediction) -> None:
    """Keep prediction and true depth on the valid pixels of each image of a batch.

    A file is there whole or not at all when its process dies.
    """
    on_host = Prediction(values=prediction.values.cpu(), space=prediction.space, input_size=prediction.input_size)
    for one, image in split(on_host, sample.to("cpu")):
        values, pixels = valid_pixels(one, image)
        path = pixel_file(cell, image.sample_id[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        kept = pixels.valid.flatten()
        with part.open("wb") as stream:
            np.savez(stream, values=values.values.flatten()[kept].numpy(), depth=pixels.depth.flatten()[kept].numpy())
        part.replace(path)


def read_pixels(
    cell: Path, name: str, *, space: OutputSpace, depth_range: tuple[float, float]
) -> tuple[Prediction, Sample]:
    """Return the valid pixels of an image as an image of size (1, n).

    Args:
        cell: its folder.
        name: of the image, which has a valid pixel.
        space: of the predictions.
        depth_range: of the data variant.

    Raises:
        RecordsError: if they are not there, or their file is damaged.
    """
    path = pixel_file(cell, name)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values, depth = (torch.from_numpy(arrays[key])[None, None, None] for key in ("values", "depth"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{path}: expected the pixels of {name!r} that were kept for a fit: {error}; run the cell with force=true"
        raise RecordsError(msg) from error
    sample = Sample(
        image=torch.zeros((), dtype=torch.uint8).expand(1, 3, *depth.shape[-2:]),
        depth=depth,
        valid=torch.ones_like(depth, dtype=torch.bool),
        depth_range=depth_range,
        sample_id=(name,),
        index=(0,),
        cluster=("",),
        slice=("",),
    )
    return Prediction(values=values, space=space, input_size=sample.size), sample


def remove_pixels(cell: Path) -> None:
    """Remove what was kept."""
    shutil.rmtree(cell / FOLDER, ignore_errors=True)
