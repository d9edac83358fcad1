"""Keep the arrays that the report draws its pictures from, for the first images of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.records.schema import PANELS_FOLDER

_LONGER_SIDE = 480


class PanelWriter:
    """Writes `panels/<index>.npz`: image, ground truth and aligned predictions on a coarser grid.

    Pixels are picked, never averaged, so that every drawn value is one that was scored.

    Args:
        folder: of the cell.
        count: how many images from the start of the split are kept.
    """

    def __init__(self, folder: Path, *, count: int) -> None:
        self._folder = folder / PANELS_FOLDER
        self._count = count

    def wants(self, sample: Sample) -> bool:
        """Whether any image of a batch is among the first."""
        return any(index < self._count for index in sample.index)

    def write(self, sample: Sample, aligned: Mapping[str, Aligned]) -> None:
        """Write the images of a batch that are among the first."""
        for position, index in enumerate(sample.index):
            if index < self._count:
                self._write(sample, aligned, position)

    def _write(self, sample: Sample, aligned: Mapping[str, Aligned], position: int) -> None:
        step = -(-max(sample.size) // _LONGER_SIDE)

        def pick(values: Tensor) -> Shaped[np.ndarray, "..."]:
            return values[position, ..., step // 2 :: step, step // 2 :: step].cpu().numpy()

        arrays = {f"aligned_{name}": pick(result.depth)[0].astype(np.float32) for name, result in aligned.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            self._folder / f"{sample.index[position]:06d}.npz",
            image=pick(sample.image).transpose(1, 2, 0),
            depth=pick(sample.depth)[0],
            valid=pick(sample.valid)[0],
            sample_id=np.str_(sample.sample_id[position]),
            **arrays,
        )
