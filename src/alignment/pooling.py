"""Several images fitted as one: how their valid pixels come together where no sums of them are enough."""

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor

from src.core.prediction import Prediction
from src.core.sample import Sample

Images = Callable[[], Iterator[tuple[Prediction, Sample]]]
"""Goes over images one by one, each as its valid pixels alone (`src.core.packing.valid_pixels`), in the order of the
split; called once for each look at them."""

MOST_PIXELS: Final = 1 << 22
"""That are fitted together, where a fit needs all of them at once: of more, evenly many are left out."""


def pooled(images: Images, *, most: int = MOST_PIXELS) -> tuple[Prediction, Sample]:
    """Return the valid pixels of all images as one image of size (1, n).

    Args:
        images: at least one, all of one space and depth range.
        most: pixels; of more, every k-th in the order of the images is taken, with the least k that will do.
    """
    counts = [sample.depth.numel() for _, sample in images()]
    step = max(1, -(-sum(counts) // most))
    values, depth, before = [], [], 0
    first: tuple[Prediction, Sample] | None = None
    for prediction, sample in images():
        first = first or (prediction, sample)
        kept = slice(-before % step, None, step)
        values.append(prediction.values.flatten()[kept])
        depth.append(sample.depth.flatten()[kept])
        before += sample.depth.numel()
    if first is None:
        msg = "expected at least one image to fit, got none"
        raise ValueError(msg)
    return _replaced(*first, torch.cat(values), torch.cat(depth))


def _replaced(prediction: Prediction, sample: Sample, values: Tensor, depth: Tensor) -> tuple[Prediction, Sample]:
    shape = 1, 1, 1, len(values)
    whole = Sample(
        image=sample.image.new_zeros(()).expand(1, 3, 1, len(values)),
        depth=depth.reshape(shape),
        valid=torch.ones(shape, dtype=torch.bool),
        depth_range=sample.depth_range,
        sample_id=sample.sample_id,
        index=sample.index,
        cluster=sample.cluster,
        slice=sample.slice,
    )
    fitted = Prediction(values=values.reshape(shape), space=prediction.space, input_size=prediction.input_size)
    return fitted, whole
