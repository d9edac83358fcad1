"""Batches taken apart for the CPU: one image at a time, and of it only the valid pixels.

Arithmetic on one image stays in the processor's cache, where a whole batch of maps does not, and ground truth from a
laser covers a twentieth of the image. It also makes every digit independent of the batch an image happens to be in.
"""

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
import torch

from src.core.prediction import Prediction
from src.core.sample import Sample

WORTH_A_THREAD: Final = 131072
"""Valid pixels of an image from which computing on threads outweighs their waiting for one another's Python."""

T = TypeVar("T")


def side_by_side(function: Callable[[Prediction, Sample], T], images: Sequence[tuple[Prediction, Sample]]) -> list[T]:
    """Apply a function to every image, on as many threads as torch may use; in order.

    Images on threads wait for each other once, pixels on threads after every operation. So each thread computes alone,
    also where there is one image only: how many share a sum decides on its last digit.
    """
    threads = torch.get_num_threads()
    inference = torch.is_inference_mode_enabled()  # a property of the thread

    def run(image: tuple[Prediction, Sample]) -> T:
        with torch.inference_mode(inference):
            return function(*image)

    try:
        if min(threads, len(images)) < 2 or np.count_nonzero(images[0][1].valid.numpy()) < WORTH_A_THREAD:
            torch.set_num_threads(1)
            return [function(*image) for image in images]
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(run, images))
    finally:
        torch.set_num_threads(threads)


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
    valid = sample.valid.numpy()
    n = int(np.count_nonzero(valid))
    if n == 0:
        return prediction, sample
    # numpy finds set bits five times faster than torch does, and takes faster where it need not look for bad indices
    kept = np.flatnonzero(valid) if n < valid.size else None

    def pick(values: torch.Tensor) -> torch.Tensor:
        flat = values.flatten()
        picked = flat if kept is None else torch.from_numpy(flat.numpy().take(kept, mode="clip"))
        return picked.reshape(1, 1, 1, n)

    pixels = Sample(
        image=sample.image.new_zeros(()).expand(1, 3, 1, n),
        depth=pick(sample.depth),
        valid=sample.valid.new_ones((1, 1, 1, n)),
        depth_range=sample.depth_range,
        sample_id=sample.sample_id,
        index=sample.index,
        cluster=sample.cluster,
        slice=sample.slice,
    )
    return dataclasses.replace(prediction, values=pick(prediction.values), intrinsics=None, uncertainty=None), pixels


def _one_prediction(prediction: Prediction, i: int) -> Prediction:
    fields = {field.name: getattr(prediction, field.name) for field in dataclasses.fields(prediction)}
    tensors = {name: value[i : i + 1] for name, value in fields.items() if isinstance(value, torch.Tensor)}
    return dataclasses.replace(prediction, **tensors)  # type: ignore[arg-type]


def _one_sample(sample: Sample, i: int) -> Sample:
    tensors = {name: value[i : i + 1] for name, value in sample.tensors().items()}
    names = {name: (getattr(sample, name)[i],) for name in ("sample_id", "index", "cluster", "slice")}
    return dataclasses.replace(sample, **tensors, **names)  # type: ignore[arg-type]
