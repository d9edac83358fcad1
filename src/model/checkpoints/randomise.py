"""Seeded random weights for dry runs and speed measurements: deterministic, finite, and not constant."""

import math

import torch
from torch import nn


@torch.no_grad()
def randomise(network: nn.Module, seed: int) -> None:
    """Overwrite the weights of a network in place.

    Freshly constructed depth networks predict a constant: their weights are tiny, or a closed final ReLU hides them.
    Here matrices and kernels are normal with variance 1 / fan-in (LeCun et al., Efficient BackProp, 1998), which keeps
    the size of the signal from layer to layer; those with a single output channel are made positive, so that a ReLU
    behind them is open; vectors keep what their class gave them (norms 1) and biases are 0.

    Args:
        network: on the CPU, in float32.
        seed: the same seed gives the same weights on every machine of the same torch version.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, math.sqrt(1 / parameter[0].numel()), generator=generator)
        elif name.endswith("bias"):
            parameter.zero_()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.out_channels == 1:
            layer.weight.abs_()
