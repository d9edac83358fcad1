"""The absolute relative error by true depth: how a model does near and far."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from src.core.histogram import by_leading_bits
from src.metrics.functional.residuals import Residuals

EDGES: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 1e6)
"""Metres. A bin holds the true depths from one edge up to, not including, the next. A room ends at 10 m and a laser on
a car at 80 m; the last edge is beyond all that is measured, and finite because JSON knows no infinity."""


def depth_bins(errors: Residuals) -> Float[Tensor, "2 k b"]:
    """Return the number of valid pixels in each bin of true depth, and their sum of abs(p - g) / g."""
    if errors.valid is None and errors.target.device.type == "cpu":
        rows = zip(errors.target, errors.abs_relative, strict=True)
        return torch.stack([by_leading_bits(target, error, EDGES) for target, error in rows], dim=2)
    everything = torch.stack([errors.valid_count, errors.abs_relative.sum(1)])
    # the pixels from each edge on; what lies between two edges is their difference
    inner = [_from(errors, edge) for edge in EDGES[1:-1]]
    from_edge = torch.stack([everything, *inner, torch.zeros_like(everything)], dim=1)
    return from_edge[:, :-1] - from_edge[:, 1:]


def _from(errors: Residuals, edge: float) -> Float[Tensor, "2 b"]:
    beyond = (errors.target >= edge) & errors.mask
    return torch.stack([beyond.sum(1).double(), (beyond * errors.abs_relative).sum(1)])
