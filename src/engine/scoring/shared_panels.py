"""Pictures of what a shared fit makes of an image, once it is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from src.core.aligned import Fit
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.protocol.evaluation import EvalProtocol


def with_shared_fits(
    arrays: Mapping[str, Any],
    fits: Mapping[str, tuple[EvalProtocol, Fit | None]],
    *,
    space: OutputSpace,
    depth_range: tuple[float, float],
) -> dict[str, Any]:
    """Return the arrays of a panel with the aligned predictions of shared fits in place of the prediction.

    Args:
        arrays: of the panel; without `predicted` they are complete.
        fits: by name of the protocol; None of an image that has none, which is drawn as NaN.
        space: of the prediction.
        depth_range: of the data variant.
    """
    if "predicted" not in arrays:
        return dict(arrays)
    kept = {name: array for name, array in arrays.items() if name != "predicted"}
    depth, valid, values = (_map(arrays[name]) for name in ("depth", "valid", "predicted"))
    sample = Sample(
        image=torch.zeros((), dtype=torch.uint8).expand(1, 3, *depth.shape[-2:]),
        depth=depth,
        valid=valid,
        depth_range=depth_range,
        sample_id=(str(arrays["sample_id"]),),
        index=(0,),
        cluster=("",),
        slice=("",),
    )
    prediction = Prediction(values=values, space=space, input_size=sample.size)
    for name, (protocol, fit) in fits.items():
        aligned = (
            np.full(valid.shape[-2:], np.nan, np.float32)
            if fit is None
            else protocol.applied(prediction, sample, fit).depth[0, 0].numpy().astype(np.float32)
        )
        kept[f"aligned_{name}"] = aligned
    return kept


def _map(array: Shaped[np.ndarray, "h w"]) -> Tensor:
    return torch.from_numpy(array)[None, None]
