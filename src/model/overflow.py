"""Overflow in half precision, kept visible."""

from typing import Any

import torch
from torch import Tensor, nn


def reveal_overflow(layer: nn.Module) -> None:
    """Make a layer return NaN wherever its output is not finite.

    For the last layer before a function that takes an infinity for a number: a ReLU makes 0 of the negative one, a
    sigmoid, a clamp or a reciprocal a bound. NaN passes through all of them, and the image is counted as failed. In
    single precision nothing changes.
    """
    layer.register_forward_hook(_without_infinities)


def _without_infinities(_layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    return torch.where(output.isfinite(), output, torch.nan)
