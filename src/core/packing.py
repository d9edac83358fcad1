"""Batches taken apart for the CPU: one image at a time, and of it only the valid pixels.

Arithmetic on one image stays in the processor's cache, where a whole batch of maps does not, and ground truth from a
laser covers a twentieth of the image. It also makes every digit independent of the batch an image happens to be in.
"""

import dataclasses

import numpy as np
import torch

from src.core.prediction import Prediction
from src.core.sample import Sample


def split(prediction: Prediction, sample: Sample) -> tuple[tuple[Prediction, Sample], ...]:
    """Return every image of a batch as a batch of its own, sharing memory."""
    return tuple((_one_prediction(prediction, i), _one_sample(sample, i)) for i in range(len(sample)))


def valid_pixels(prediction: Prediction, sample: Sample) -> tuple[Prediction, Sample]:
    """Return the n valid pixels of one image as an image of size (1, n), in row-major order.

    For arithmetic that looks at each pixel alone: neither neighbours nor positions survive, so of the sample only
    depth does. An image without a valid pixel is returned as it is. On the CPU only.

    Args:
        prediction: of one image.
        sample: of one image.
    """
    # numpy finds set bits five times faster than torch does
    kept = torch.from_numpy(np.flatnonzero(sample.valid.numpy()))
    n = len(kept)
    if n == 0:
        return prediction, sample

    def pick(values: torch.Tensor) -> torch.Tensor:
        flat = values.flatten()
        return (flat if n == len(flat) else flat.index_select(0, kept)).reshape(1, 1, 1, n)

    pixels = Sample(
        image=sample.image.new_zeros(()).expand(1, 3, 1, n),
        depth=pick(sample.depth),
        valid=sample.valid.new_ones((1, 1, 1, n)),
        depth_range=sample.depth_range,
        sample_id=sample.sample_id,
        index=sample.index,
        group=sample.group,
    )
    return dataclasses.replace(prediction, values=pick(prediction.values), intrinsics=None, uncertainty=None), pixels


def _one_prediction(prediction: Prediction, i: int) -> Prediction:
    fields = {field.name: getattr(prediction, field.name) for field in dataclasses.fields(prediction)}
    tensors = {name: value[i : i + 1] for name, value in fields.items() if isinstance(value, torch.Tensor)}
    return dataclasses.replace(prediction, **tensors)  # type: ignore[arg-type]


def _one_sample(sample: Sample, i: int) -> Sample:
    tensors = {name: value[i : i + 1] for name, value in sample.tensors().items()}
    names = {"sample_id": (sample.sample_id[i],), "index": (sample.index[i],), "group": (sample.group[i],)}
    return dataclasses.replace(sample, **tensors, **names)  # type: ignore[arg-type]
