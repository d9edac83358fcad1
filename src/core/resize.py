"""The one place where images and predictions change size: size rules and their resampling.

Rules are those of the MiDaS-style `Resize` transform that MiDaS, ZoeDepth and Depth Anything share
(github.com/isl-org/MiDaS midas/transforms.py) and of Marigold's processing resolution.
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from torch import Tensor

Bound = Literal["lower", "upper", "minimal", "stretch"]
"""lower: both sides at least the target; upper: both at most; minimal: scale as little as possible; stretch: exact."""


def bounded_size(size: tuple[int, int], target: tuple[int, int], *, bound: Bound, multiple: int) -> tuple[int, int]:
    """Network input size of the MiDaS-style resize rule.

    Args:
        size: (h, w) of the image in pixels.
        target: (h, w) aimed at.
        bound: which of the two scale factors is kept for both sides ("stretch" keeps neither: aspect is lost).
        multiple: both sides become multiples of it, rounded half to even; "lower" rounds up where that falls below the
            target, "upper" down where it exceeds it.

    >>> bounded_size((480, 640), (518, 518), bound="lower", multiple=14)
    (518, 686)
    >>> bounded_size((375, 1242), (384, 384), bound="minimal", multiple=32)
    (384, 1280)
    >>> bounded_size((375, 1242), (384, 384), bound="upper", multiple=32)
    (128, 384)
    """
    scales = [goal / side for goal, side in zip(target, size, strict=True)]
    if bound == "lower":
        scales = [max(scales)] * 2
    elif bound == "upper":
        scales = [min(scales)] * 2
    elif bound == "minimal":
        scales = [min(scales, key=lambda scale: abs(1 - scale))] * 2
    sides = []
    for side, scale, goal in zip(size, scales, target, strict=True):
        rounded = round(scale * side / multiple) * multiple
        if bound == "lower" and rounded < goal:
            rounded = -int(-scale * side // multiple) * multiple
        elif bound == "upper" and rounded > goal:
            rounded = int(scale * side // multiple) * multiple
        sides.append(max(rounded, multiple))
    return sides[0], sides[1]


def to_unit_range(image: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Bytes 0..255 to float32 0..1."""
    return image.float() / 255


def resize(
    values: Float[Tensor, "b c h w"],
    size: tuple[int, int],
    *,
    mode: Literal["bilinear", "bicubic"],
    align_corners: bool = False,
) -> Float[Tensor, "b c H W"]:
    """Resample to `size` (height, width) without antialiasing; returns the input unchanged where it has that size.

    Float bicubic equals OpenCV's INTER_CUBIC on float images to 1e-4.
    """
    if tuple(values.shape[-2:]) == size:
        return values
    return F.interpolate(values, size, mode=mode, align_corners=align_corners)


def normalise(image: Float[Tensor, "b 3 h w"], mean: Sequence[float], std: Sequence[float]) -> Float[Tensor, "b 3 h w"]:
    """Subtract the channel means and divide by the channel standard deviations."""
    shape = (1, 3, 1, 1)
    return (image - image.new_tensor(mean).reshape(shape)) / image.new_tensor(std).reshape(shape)


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
