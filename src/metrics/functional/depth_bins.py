"""The absolute relative error by true depth: how a model does near and far."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.functional.residuals import Residuals

EDGES: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 1e6)
"""Metres. A bin holds the true depths from one edge up to, not including, the next. A room ends at 10 m and a laser on
a car at 80 m; the last edge is beyond all that is measured, and finite because JSON knows no infinity."""


def depth_bins(errors: Residuals) -> Float[Tensor, "2 k b"]:
    """Return the number of valid pixels in each bin of true depth, and their sum of abs(p - g) / g."""
    inner = EDGES[1:-1]
    on_host = errors.depth.device.type == "cpu"
    nearest, deepest = (float(side) for side in errors.target.aminmax()) if on_host else (-torch.inf, torch.inf)
    everything = torch.stack([errors.valid_count, errors.abs_relative.sum(1)])
    # the pixels from each edge on; what lies between two edges is their difference
    nothing = torch.zeros_like(everything)
    from_edge = torch.stack(
        [
            everything,
            *(everything if e <= nearest else nothing if e > deepest else _from(errors, e) for e in inner),
            nothing,
        ],
        dim=1,
    )
    return from_edge[:, :-1] - from_edge[:, 1:]


def _from(errors: Residuals, edge: float) -> Float[Tensor, "2 b"]:
    beyond = torch.ge(errors.target, edge, out=torch.empty_like(errors.target))
    if errors.valid is not None:  # there depth is 1
        beyond = beyond * errors.valid
    return torch.stack([beyond.sum(1), torch.einsum("bn,bn->b", beyond, errors.abs_relative)])
