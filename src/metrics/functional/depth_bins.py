"""The absolute relative error by true depth: how a model does near and far."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.functional.residuals import Residuals

EDGES: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 1e6)
"""Metres. A bin holds the true depths from one edge up to, not including, the next. A room ends at 10 m and a laser on
a car at 80 m; the last edge is beyond all that is measured, and finite because JSON knows no infinity."""


def depth_bins(errors: Residuals) -> Float[Tensor, "2 k b"]:
    """Return the number of valid pixels in each bin of true depth, and their sum of abs(p - g) / g."""
    if errors.valid is None and errors.target.device.type == "cpu":
        rows = zip(errors.target, errors.abs_relative, strict=True)
        return torch.stack([_by_leading_bits(target, error) for target, error in rows], dim=2)
    everything = torch.stack([errors.valid_count, errors.abs_relative.sum(1)])
    # the pixels from each edge on; what lies between two edges is their difference
    inner = [_from(errors, edge) for edge in EDGES[1:-1]]
    from_edge = torch.stack([everything, *inner, torch.zeros_like(everything)], dim=1)
    return from_edge[:, :-1] - from_edge[:, 1:]


def _from(errors: Residuals, edge: float) -> Float[Tensor, "2 b"]:
    beyond = (errors.target >= edge) & errors.mask
    return torch.stack([beyond.sum(1).double(), (beyond * errors.abs_relative).sum(1)])


_BITS = 14
"""Leading bits of a float64: sign, exponent, and the first two of the mantissa, so that 1, 1.25, 1.5, 1.75, 2, 2.5, ...
m are where they change. Every inner edge is one of those."""
_KEYS = 1 << _BITS - 1
_FIRST = np.array(EDGES[:-1]).view(np.int64) >> 64 - _BITS


def _by_leading_bits(target: Float[Tensor, " n"], error: Float[Tensor, " n"]) -> Float[Tensor, "2 k"]:
    """Bins of one image on the CPU, where a histogram of the leading bits takes a fifth of the time of comparisons."""
    key = target.numpy().view(np.int64) >> 64 - _BITS
    # numpy fills a histogram in two thirds of the time that torch takes
    fine = np.bincount(key, minlength=_KEYS), np.bincount(key, weights=error.numpy(), minlength=_KEYS)
    return torch.from_numpy(np.add.reduceat(fine, _FIRST, axis=1))
