"""Between depth and disparity (inverse depth, 1/m), with a named rule for disparities that are no depth."""

import math
from enum import StrEnum

import torch

from src.core import masked
from src.core.errors import ConfigError
from src.core.masked import Map, Mask


class Floor(StrEnum):
    """What becomes of a fitted disparity d that is zero, negative or too small to be believed, before depth = 1/d."""

    __doc__: str

    FARTHEST = "farthest", "d is floored at 1 / farthest depth of the data variant: such pixels are far (MiDaS)"
    DEEPEST_TARGET = "deepest_target", "d is floored at 1 / largest valid true depth of the image (MoGe)"
    NEAR = "near", "d <= 0 becomes depth 0, which a clip then brings to its nearest depth (SlowTV)"
    FAIL = "fail", "d <= 0 becomes NaN, and the image counts as failed"
    KEEP = "keep", "d is inverted as it is, for metrics that return to disparity; d < 0 becomes negative depth"

    def __new__(cls, value: str, meaning: str = "") -> "Floor":
        """Give each member its meaning as docstring."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.__doc__ = meaning
        return member

    @classmethod
    def _missing_(cls, value: object) -> "Floor":
        msg = f"floor: expected a number > 0 in 1/m or one of {', '.join(cls)}, got {value!r}"
        raise ConfigError(msg)


def from_depth(depth: Map) -> Map:
    """1 / depth in float64; NaN where depth <= 0, since such a prediction has no disparity.

    >>> from_depth(torch.tensor([4.0, 0.0, -1.0]).reshape(1, 1, 1, 3)).flatten()
    tensor([0.2500,    nan,    nan], dtype=torch.float64)
    """
    return (1 / depth.double()).masked_fill(depth <= 0, torch.nan)


def to_depth(disparity: Map, floor: Floor | float, *, target: Map, valid: Mask, farthest: float) -> Map:
    """Invert a fitted disparity under a named rule; NaN stays NaN.

    Args:
        disparity: (b, 1, h, w), 1/m.
        floor: the rule, or a number in 1/m that disparity is floored at.
        target: (b, 1, h, w) true depth, metres, for `Floor.DEEPEST_TARGET`.
        valid: (b, 1, h, w) pixels with true depth.
        farthest: of the data variant's depth range, metres, for `Floor.FARTHEST`.

    Returns:
        (b, 1, h, w) depth in metres.

    Raises:
        ConfigError: if the floor is 1 / farthest but the data variant has no finite farthest depth.
    """
    if floor is Floor.KEEP:
        return 1 / disparity
    if floor is Floor.NEAR:
        return (1 / disparity).masked_fill(disparity <= 0, 0.0)
    if floor is Floor.FAIL:
        return (1 / disparity).masked_fill(disparity <= 0, torch.nan)
    if floor is Floor.DEEPEST_TARGET:
        return 1 / disparity.maximum((1 / masked.largest(target, valid))[:, None, None, None])
    if floor is Floor.FARTHEST:
        if math.isinf(farthest):
            msg = (
                "floor=farthest: expected a data variant with a finite farthest depth, got infinity; choose a protocol "
                "with a fixed floor or a data variant with a cap"
            )
            raise ConfigError(msg)
        floor = 1 / farthest
    return 1 / disparity.clamp_min(floor)


def parse_floor(floor: str | float) -> Floor | float:
    """Read a floor from a configuration: the name of a rule, or a number in 1/m.

    Raises:
        ConfigError: if it is neither.

    >>> parse_floor("near"), parse_floor(0.001)
    (<Floor.NEAR: 'near'>, 0.001)
    """
    if isinstance(floor, str):
        return Floor(floor)
    return float(floor) if floor > 0 else Floor(str(floor))
