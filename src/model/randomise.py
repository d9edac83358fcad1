"""Seeded random weights for dry runs and speed measurements: deterministic, finite, and not constant."""

import math

import torch
from torch import nn


@torch.no_grad()
def randomise(network: nn.Module, seed: int) -> None:
    """Overwrite the weights of a network in place.

    Freshly constructed depth networks predict a constant: their weights are tiny, or a closed final ReLU hides them.
    Here matrices and kernels are normal with variance 2 / fan-in (He et al., ICCV 2015), which keeps the size of the
    signal from layer to layer; vectors keep what their class gave them (norms 1); biases are 0, but 1 in layers with a
    single output channel, so that a final ReLU is open.

    Args:
        network: on the CPU, in float32.
        seed: the same seed gives the same weights on every machine of the same torch version.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, math.sqrt(2 / parameter[0].numel()), generator=generator)
        elif name.endswith("bias"):
            parameter.fill_(float(parameter.numel() == 1))
