"""Fit and Aligned: what an alignment found, and the prediction brought to metres with it."""

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
class Fit:
    """What an alignment found for each image; NaN where no pixel is valid.

    Attributes:
        scale: (b,) float64; 1 where nothing is fitted. A scale <= 0 is kept, not repaired.
        shift: (b,) float64, in metres (fitted in depth), 1/m (in disparity) or log metres; 0 where none is fitted.
    """

    scale: Float[Tensor, " b"]
    shift: Float[Tensor, " b"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """Predicted depth in metres after alignment.

    Attributes:
        depth: (b, 1, h, w) float64, metres. Non-finite where the prediction was, or all NaN where no pixel is valid.
        scale: (b,) float64, fitted per image; 1 where nothing is fitted. A scale <= 0 is kept, not repaired.
        shift: (b,) float64, in metres (fitted in depth), 1/m (in disparity) or log metres; 0 where none is fitted.
        fitted_in: the quantity the fit was made in.
        intrinsics: (b, 3, 3) predicted camera in pixels of the evaluation grid, or None.
    """

    depth: Float[Tensor, "b 1 h w"]
    scale: Float[Tensor, " b"]
    shift: Float[Tensor, " b"]
    fitted_in: FittedIn
    intrinsics: Float[Tensor, "b 3 3"] | None = None
