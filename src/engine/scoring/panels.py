"""Keep the arrays that the report draws its pictures from, for a few images of a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from src.core.aligned import Aligned
from src.core.errors import RecordsError
from src.core.sample import Sample
from src.engine.scoring.gallery import Gallery
from src.protocol.evaluation import EvalProtocol
from src.records.arrays import read_npz
from src.records.schema import PANELS_FOLDER
from src.records.table import Scored

_LONGER_SIDE = 480


def judge(protocols: Mapping[str, EvalProtocol], scores: Mapping[str, Scored]) -> dict[int, float]:
    """Return how bad each image is by the first metric of the first protocol, by its index.

    Larger for worse: infinite if failed, NaN if nothing is known.

    Args:
        protocols: by name.
        scores: by protocol.
    """
    name, protocol = next(iter(protocols.items()))
    metric, scored = protocol.metrics[0], scores[name]
    errors = scored.errors[metric.name]
    bad = np.where(scored.status == "failed", np.inf, -errors if metric.higher_is_better else errors)
    return dict(zip(scored.index.tolist(), bad.tolist(), strict=True))


class PanelWriter:
    """Writes `panels/<index>.npz`: image, ground truth and aligned predictions on a coarser grid.

    Pixels are picked, never averaged, so that every drawn value is one that was scored.

    An image's file is written before its records and removed after those of the image that took its place, so that a
    run that dies between the two and goes on later keeps what an undisturbed one keeps.

    Args:
        folder: of the cell.
        count: how many images spread over the split are kept, besides the worst, the median and the best.
        total: number of images of the run.
    """

    def __init__(self, folder: Path, *, count: int, total: int) -> None:
        self._folder = folder / PANELS_FOLDER
        self._gallery = Gallery(total=total, count=count)
        self._displaced: frozenset[int] = frozenset()

    def resume(self, judged: Mapping[int, float]) -> None:
        """Take into account how bad images were that an earlier, interrupted run of this cell has scored."""
        self._gallery.add(judged)

    def offer(self, sample: Sample, judged: Mapping[int, float], align: Callable[[], Mapping[str, Aligned]]) -> None:
        """Write the images of a batch that are to be kept for now.

        Args:
            sample: the batch.
            judged: index -> how bad, of its images.
            align: returns what the protocols align the predictions to; called only if anything is written.
        """
        wanted, self._displaced = self._gallery.add(judged)
        if not wanted:
            return
        aligned = align()
        self._folder.mkdir(parents=True, exist_ok=True)
        for position, index in enumerate(sample.index):
            if index in wanted:
                # compressing takes many times longer, and most of these files do not stay
                _write(_file(self._folder, index), np.savez, _arrays(sample, aligned, position))

    def settle(self) -> None:
        """Remove what the last batch has displaced; call when its records are on disk."""
        for index in self._displaced:
            _file(self._folder, index).unlink(missing_ok=True)
        self._displaced = frozenset()

    def close(self, judged: Mapping[int, float]) -> None:
        """Keep the final choice, compressed, and remove the rest; for one process, when all others have finished.

        Args:
            judged: index -> how bad, of all images of the cell.
        """
        files = _files(self._folder)
        chosen = self._gallery.final(judged, files)
        for index, file in files.items():
            if index in chosen:
                _write(file, np.savez_compressed, read_npz(file))
            else:
                file.unlink()


def damaged_panels(cell: Path) -> list[int]:
    """Return the images of a cell whose picture is there but not whole, as a power loss may leave it."""
    return [index for index, file in _files(cell / PANELS_FOLDER).items() if not _is_whole(file)]


def _is_whole(file: Path) -> bool:
    try:
        read_npz(file)
    except RecordsError:
        return False
    return True


def _files(folder: Path) -> dict[int, Path]:
    return {int(file.stem): file for file in folder.glob("*.npz") if file.stem.isdecimal()}


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npz"


def _arrays(sample: Sample, aligned: Mapping[str, Aligned], position: int) -> dict[str, Any]:
    step = -(-max(sample.size) // _LONGER_SIDE)

    def pick(values: Tensor) -> Shaped[np.ndarray, "..."]:
        return values[position, ..., step // 2 :: step, step // 2 :: step].cpu().numpy()

    arrays: dict[str, Any] = {
        "image": pick(sample.image).transpose(1, 2, 0),
        "depth": pick(sample.depth)[0],
        "valid": pick(sample.valid)[0],
        "sample_id": np.str_(sample.sample_id[position]),
    }
    if sample.intrinsics is not None:
        arrays["intrinsics"] = _picked_intrinsics(sample.intrinsics[position].cpu().numpy(), step)
    return arrays | {f"aligned_{name}": pick(result.depth)[0].astype(np.float32) for name, result in aligned.items()}


def _picked_intrinsics(intrinsics: Float[np.ndarray, "3 3"], step: int) -> Float[np.ndarray, "3 3"]:
    """Return intrinsics in pixels of the picked grid, whose pixel i shows pixel step // 2 + step * i of the first."""
    shift = 0.5 - (step // 2 + 0.5) / step
    change = np.array([[1 / step, 0, shift], [0, 1 / step, shift], [0, 0, 1]])
    picked: Float[np.ndarray, "3 3"] = (change @ intrinsics).astype(np.float64)
    return picked


def _write(file: Path, save: Callable[..., None], arrays: Mapping[str, Any]) -> None:
    part = file.with_suffix(".part")
    try:
        with part.open("wb") as stream:
            save(stream, **arrays)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
