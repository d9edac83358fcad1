"""How much each pixel counts in a fit."""

from enum import StrEnum

from jaxtyping import Float
from torch import Tensor

from src.core.errors import ConfigError


class Weighting(StrEnum):
    """The weight w of a pixel whose true depth is z."""

    __doc__: str

    UNIFORM = "uniform", "every pixel counts alike"
    INVERSE_DEPTH = "inverse_depth", "a pixel at depth z counts 1 / z"
    INVERSE_SQUARE_DEPTH = "inverse_square_depth", "a pixel at depth z counts 1 / z^2"

    def __new__(cls, value: str, meaning: str = "") -> "Weighting":
        """Give each member its meaning as docstring."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.__doc__ = meaning
        return member

    @classmethod
    def _missing_(cls, value: object) -> "Weighting":
        msg = f"weighting: expected one of {', '.join(cls)}, got {value!r}"
        raise ConfigError(msg)

    def weights(self, depth: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"] | None:
        """Return the weights of true depths, (b, 1, h, w) float64, or None where all are one."""
        if self is Weighting.UNIFORM:
            return None
        return depth.double() ** (-1 if self is Weighting.INVERSE_DEPTH else -2)
