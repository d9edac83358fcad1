"""Between depth and disparity (inverse depth, 1/m), with a named rule for disparities that are no depth."""

from enum import StrEnum

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked
from src.core.errors import ConfigError

Map = Float[Tensor, "b 1 h w"]


class Floor(StrEnum):
    """What becomes of a fitted disparity d that is zero, negative or too small to be believed, before depth = 1/d."""

    FARTHEST = "farthest"
    """d is floored at 1 / farthest of the data variant's depth range (MiDaS: 1 / cap): such pixels are far."""
    DEEPEST_TARGET = "deepest_target"
    """d is floored at 1 / largest valid true depth of the image (MoGe)."""
    NEAR = "near"
    """d <= 0 becomes depth 0, which a clip then brings to its nearest depth (SlowTV)."""
    FAIL = "fail"
    """d <= 0 becomes NaN: the image counts as failed."""


def from_depth(depth: Map) -> Map:
    """1 / depth in float64; NaN where depth <= 0, since such a prediction has no disparity.

    >>> from_depth(torch.tensor([4.0, 0.0, -1.0]).reshape(1, 1, 1, 3)).flatten()
    tensor([0.2500,    nan,    nan], dtype=torch.float64)
    """
    return torch.where(depth > 0, 1 / depth.double(), torch.nan)


def to_depth(
    disparity: Map, target: Map, valid: Bool[Tensor, "b 1 h w"], *, floor: Floor | float, farthest: float
) -> Map:
    """Invert a fitted disparity under a named rule; NaN stays NaN.

    Args:
        disparity: (b, 1, h, w), 1/m.
        target: (b, 1, h, w) true depth, metres, for `Floor.DEEPEST_TARGET`.
        valid: (b, 1, h, w) pixels with true depth.
        floor: the rule, or a number in 1/m that disparity is floored at.
        farthest: of the data variant's depth range, metres, for `Floor.FARTHEST`.

    Returns:
        (b, 1, h, w) depth in metres.

    Raises:
        ConfigError: if the floor is 1 / farthest but the data variant has no finite farthest depth.
    """
    if floor == Floor.NEAR:
        return torch.where(disparity <= 0, 0.0, 1 / disparity)
    if floor == Floor.FAIL:
        return torch.where(disparity <= 0, torch.nan, 1 / disparity)
    if floor == Floor.DEEPEST_TARGET:
        deepest = masked.largest(target, valid)
        return 1 / disparity.maximum((1 / deepest)[:, None, None, None])
    if floor == Floor.FARTHEST:
        if farthest == torch.inf:
            msg = (
                "floor=farthest: expected a data variant with a finite farthest depth, got infinity; choose a protocol "
                "with a fixed floor or a data variant with a cap"
            )
            raise ConfigError(msg)
        floor = 1 / farthest
    return 1 / disparity.clamp_min(float(floor))


def parse_floor(floor: str | float) -> Floor | float:
    """Read a floor from a configuration: the name of a rule, or a number in 1/m.

    Raises:
        ConfigError: if it is neither.

    >>> parse_floor("near"), parse_floor(0.001)
    (<Floor.NEAR: 'near'>, 0.001)
    """
    if isinstance(floor, str):
        if floor in tuple(Floor):
            return Floor(floor)
    elif floor > 0:
        return float(floor)
    msg = f"floor: expected a number > 0 in 1/m or one of {', '.join(Floor)}, got {floor!r}"
    raise ConfigError(msg)
