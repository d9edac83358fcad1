"""Keep the arrays that the report draws its pictures from, for a few images of a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.engine.scoring.gallery import Gallery
from src.protocol.evaluation import EvalProtocol
from src.records.schema import PANELS_FOLDER
from src.records.table import Scored

_LONGER_SIDE = 480

Arrays = dict[str, Any]
Complete = Callable[[int, Arrays], Arrays]


def judge(protocols: Mapping[str, EvalProtocol], scores: Mapping[str, Scored]) -> dict[int, float]:
    """Return how bad each image is by the first metric of the first protocol, by its index.

    Protocols whose fits images share come last, since nothing is known by them while a run goes.

    Larger for worse: infinite if failed, NaN if nothing is known.

    Args:
        protocols: by name.
        scores: by protocol.
    """
    name, protocol = min(protocols.items(), key=lambda item: item[1].shared_fit is not None)
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

    def offer(
        self,
        sample: Sample,
        judged: Mapping[int, float],
        align: Callable[[], Mapping[str, Aligned]],
        predicted: Tensor | None = None,
    ) -> None:
        """Write the images of a batch that are to be kept for now.

        Args:
            sample: the batch.
            judged: index -> how bad, of its images.
            align: returns what the protocols align the predictions to; called only if anything is written.
            predicted: (b, 1, h, w) values to keep until what aligns them is known; None where it is.
        """
        wanted, self._displaced = self._gallery.add(judged)
        if not wanted:
            return
        aligned = align()
        self._folder.mkdir(parents=True, exist_ok=True)
        for position, index in enumerate(sample.index):
            if index in wanted:
                # compressing takes many times longer, and most of these files do not stay
                np.savez(_file(self._folder, index), **_arrays(sample, aligned, position, predicted))

    def settle(self) -> None:
        """Remove what the last batch has displaced; call when its records are on disk."""
        for index in self._displaced:
            _file(self._folder, index).unlink(missing_ok=True)
        self._displaced = frozenset()

    def close(self, judged: Mapping[int, float], complete: Complete | None = None) -> None:
        """Keep the final choice, compressed, and remove the rest; for one process, when all others have finished.

        Args:
            judged: index -> how bad, of all images of the cell.
            complete: makes of an image's index and arrays those that are kept; None to keep all as they are.
        """
        files = {int(file.stem): file for file in self._folder.glob("*.npz")}
        chosen = self._gallery.final(judged, files)
        for index, file in files.items():
            if index in chosen:
                _compress(file, complete)
            else:
                file.unlink()


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npz"


def _arrays(sample: Sample, aligned: Mapping[str, Aligned], position: int, predicted: Tensor | None) -> dict[str, Any]:
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
    if predicted is not None:
        arrays["predicted"] = pick(predicted)[0]
    return arrays | {f"aligned_{name}": pick(result.depth)[0].astype(np.float32) for name, result in aligned.items()}


def _picked_intrinsics(intrinsics: Float[np.ndarray, "3 3"], step: int) -> Float[np.ndarray, "3 3"]:
    """Return intrinsics in pixels of the picked grid, whose pixel i shows pixel step // 2 + step * i of the first."""
    shift = 0.5 - (step // 2 + 0.5) / step
    change = np.array([[1 / step, 0, shift], [0, 1 / step, shift], [0, 0, 1]])
    picked: Float[np.ndarray, "3 3"] = (change @ intrinsics).astype(np.float64)
    return picked


def _compress(file: Path, complete: Complete | None) -> None:
    with np.load(file, allow_pickle=False) as arrays:
        content = dict(arrays)
    if complete is not None:
        content = complete(int(file.stem), content)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, **content)
    part.replace(file)
