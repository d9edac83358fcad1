"""The crops of published protocols, as integer boxes (top, bottom, left, right), half-open."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from src.core.errors import ConfigError

Box = tuple[int, int, int, int]

KB_SIZE = (352, 1216)
"""Height and width of the KITTI benchmark crop."""


class Crop(StrEnum):
    """Boxes given as fractions of a map, each side rounded down."""

    GARG = "garg"
    """R. Garg et al., "Unsupervised CNN for Single View Depth Estimation", ECCV 2016."""
    EIGEN = "eigen"
    """D. Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network", NeurIPS 2014."""

    @classmethod
    def _missing_(cls, value: object) -> "Crop":
        msg = f"crop: expected one of {', '.join(cls)} or null, got {value!r}"
        raise ConfigError(msg)

    def box(self, size: tuple[int, int]) -> Box:
        """The box on a map of (height, width).

        >>> Crop.GARG.box((375, 1242)), Crop.EIGEN.box((352, 1216))
        ((153, 371, 44, 1197), (117, 321, 43, 1172))
        """
        h, w = size
        top, bottom, left, right = _FRACTIONS[self]
        return int(top * h), int(bottom * h), int(left * w), int(right * w)


_ENDLESS = 2**31
_FRACTIONS = {
    Crop.GARG: (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    Crop.EIGEN: (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}


def box_on(crop: str | Sequence[int] | None, size: tuple[int, int]) -> Box | None:
    """A crop of a map of (height, width) as the configuration writes it: a name, or a box that ends where the map does.

    >>> box_on("garg", (375, 1242)), box_on([45, 471, 41, 601], (427, 561))
    ((153, 371, 44, 1197), (45, 427, 41, 561))

    Raises:
        ConfigError: if it is neither.
    """
    if crop is None:
        return None
    if isinstance(crop, str):
        return Crop(crop).box(size)
    top, bottom, left, right = as_box(crop, (_ENDLESS, _ENDLESS)) or (0, 0, 0, 0)
    return min(top, size[0]), min(bottom, size[0]), min(left, size[1]), min(right, size[1])


def kb_box(size: tuple[int, int]) -> Box:
    """The KITTI benchmark crop, 352 x 1216, at the bottom and horizontally in the middle (rounded to the left).

    >>> kb_box((375, 1242)), kb_box((370, 1226))
    ((23, 375, 13, 1229), (18, 370, 5, 1221))
    """
    top, left = size[0] - KB_SIZE[0], (size[1] - KB_SIZE[1]) // 2
    return top, size[0], left, left + KB_SIZE[1]


def as_box(crop: Sequence[int] | None, size: tuple[int, int]) -> Box | None:
    """A crop of images of (height, width) as the configuration writes it.

    Raises:
        ConfigError: if it is no box on the images.
    """
    if crop is None:
        return None
    try:
        top, bottom, left, right = crop
    except ValueError:
        top = bottom = left = right = -1
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        msg = f"crop: expected [top, bottom, left, right], half-open, within {size} (height, width), got {list(crop)}"
        raise ConfigError(msg)
    return top, bottom, left, right


def inside(box: Box, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """A map of (height, width) that is true in the box."""
    mask = np.zeros(size, bool)
    cut(mask, box)[:] = True
    return mask


def cut(array: Shaped[np.ndarray, "h w *c"], box: Box) -> Shaped[np.ndarray, "H W *c"]:
    """The part of an image or map in the box, as a view."""
    top, bottom, left, right = box
    return array[top:bottom, left:right]


def shift(intrinsics: Float32[np.ndarray, "3 3"], box: Box) -> Float32[np.ndarray, "3 3"]:
    """The intrinsics of the part in the box."""
    moved = intrinsics.copy()
    moved[:2, 2] -= (box[2], box[0])
    return moved
