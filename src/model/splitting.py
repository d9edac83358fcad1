"""A batch that goes through a network in parts, where the library of the GPU would take memory out of all proportion.

For some shapes of a batch cuDNN's first choice for a float32 convolution has a workspace of tens of gigabytes, if they
are free, and is no faster: 33.6 GiB for eight maps of 256 x 96 x 128 in ZoeDepth's decoder, 51.8 GiB for four of
1280 x 36 x 48 in Marigold's denoiser, where fewer take 0.1 (one H200, torch 2.11; the same with and without
`cudnn.deterministic`). So a family says how many pixels go through its networks together.
"""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def split_calls(network: nn.Module, pixels: int) -> None:
    """Have every call of a network on CUDA take part of the batch after part, and join what it returns.

    No image's result depends on its neighbours, so what changes is the rounding, as with another size of batch.

    Args:
        network: called with (b, c, h, w); other tensors with b entries in the first axis are split alike. Returns a
            tensor, or a tuple or mapping of them.
        pixels: h * w of its input that may go through together; a single image always may.
    """
    forward = network.forward

    @functools.wraps(forward)
    def in_parts(*arguments: Any, **keywords: Any) -> Any:
        batch = next(value for value in (*arguments, *keywords.values()) if _is_batch(value))
        together = max(pixels // (batch.shape[-2] * batch.shape[-1]), 1)
        if len(batch) <= together or not _needs_splitting(batch):
            return forward(*arguments, **keywords)
        parts = []
        for start in range(0, len(batch), together):
            rows = slice(start, start + together)
            more = [_part(value, rows, len(batch)) for value in arguments]
            named = {name: _part(value, rows, len(batch)) for name, value in keywords.items()}
            parts.append(forward(*more, **named))
        return _join(parts)

    network.forward = in_parts


def _is_batch(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def _needs_splitting(batch: Tensor) -> bool:
    return batch.device.type == "cuda"


def _part(value: Any, rows: slice, count: int) -> Any:
    return value[rows] if isinstance(value, Tensor) and value.ndim and len(value) == count else value


def _join(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts)
    if isinstance(first, Mapping):  # an output of the transformers library
        return type(first)(**{name: _join([part[name] for part in parts]) for name in first})
    return tuple(_join(list(members)) for members in zip(*parts, strict=True))
