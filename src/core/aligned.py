"""Aligned: a prediction brought to metres by a named alignment."""

import dataclasses
from enum import StrEnum

from jaxtyping import Float
from torch import Tensor


class FittedIn(StrEnum):
    """The quantity in which scale and shift were fitted."""

    NOTHING = "nothing"
    DEPTH = "depth"
    DISPARITY = "disparity"
    LOG_DEPTH = "log_depth"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """Predicted depth in metres after alignment.

    Attributes:
        depth: (b, 1, h, w) float64, metres. Non-finite where the prediction was, or all NaN where no pixel is valid.
        scale: (b,) float64, fitted per image; 1 where nothing is fitted. A scale <= 0 is kept, not repaired.
        shift: (b,) float64, in metres (fitted in depth) or 1/m (in disparity); 0 where none is fitted.
        fitted_in: the quantity the fit was made in.
    """

    depth: Float[Tensor, "b 1 h w"]
    scale: Float[Tensor, " b"]
    shift: Float[Tensor, " b"]
    fitted_in: FittedIn
