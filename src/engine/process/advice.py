"""What is worth a line on a GPU: arithmetic that costs more than a user may know.

Figures are those of one H200 (torch 2.11), see docs/performance.md.
"""

from typing import Final

import torch
from lightning.pytorch import LightningModule

LONG: Final = 60.0
"""Seconds of a run from which on half of them are worth a line."""


def before(precision: str, channels_last: bool, device: torch.device) -> str | None:
    """Return what is to be said before a run, None for nothing.

    Args:
        precision: of the run.
        channels_last: whether kernels of convolutions lie so.
        device: of this process.
    """
    if device.type != "cuda" or not channels_last or precision != "float32":
        return None
    return (
        "channels_last=true halves the speed of float32 convolutions on a GPU and takes up to four times their memory "
        "(measured on one H200); leave it out, or set precision=bfloat16 beside it"
    )


def after(precision: str, model: LightningModule, seconds: float) -> str | None:
    """Return what is to be said after a run, None for nothing.

    Args:
        precision: of the run.
        model: loaded, on its device.
        seconds: that the run took.
    """
    weights = next(model.parameters(), None)
    is_full = weights is not None and weights.device.type == "cuda" and weights.dtype == torch.float32
    if not is_full or precision != "float32" or seconds < LONG:
        return None
    half = "" if getattr(model, "half_refused", "") else " or precision=bfloat16 (8 times)"
    minutes = f"{seconds / 60:.1f} minutes in float32, in which published numbers are to be compared"
    return (
        f"This took {minutes}. On a GPU of today precision=tf32 (up to 3 times as fast with a large network){half} may "
        "do to look at a model first: other digits, a folder of their own (docs/performance.md)"
    )
