"""Baselines that need no weights and give every benchmark its floor."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.prediction import OutputSpace
from src.model.base import DepthModel, Provenance, parse_resolution


class Baseline(DepthModel):
    """A prediction that ignores the image: inverse depth up to scale and shift, the same for every image of a size.

    Works at the size of the image whatever `resolution` says: there is no network.
    """

    space = OutputSpace.AFFINE_DISPARITY

    def __init__(self, *, resolution: int | str) -> None:
        super().__init__()
        self.resolution = parse_resolution(resolution)

    def load(self) -> None:
        """Nothing to load."""

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The image's own size."""
        return size

    @property
    def provenance(self) -> Provenance:
        """No weights."""
        return Provenance(weights="none")


class Constant(Baseline):
    """The same disparity everywhere: what alignment alone achieves (the best constant inverse depth of each image)."""

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Return ones."""
        return image.new_ones((image.shape[0], 1, *image.shape[-2:]), dtype=torch.float32)


class Ramp(Baseline):
    """Disparity that grows linearly from 0 at the top row to 1 at the bottom row: nearer towards the bottom."""

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Return the vertical ramp, sampled at pixel centres."""
        b, _, h, w = image.shape
        rows = (torch.arange(h, device=image.device, dtype=torch.float32) + 0.5) / h
        return rows.reshape(1, 1, h, 1).expand(b, 1, h, w)


class Center(Baseline):
    """Disparity that falls linearly from 1 at the image centre to 0 at the corners: photographs centre near things."""

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Return one minus the distance from the centre, relative to the corners' distance."""
        b, _, h, w = image.shape
        rows = torch.arange(h, device=image.device, dtype=torch.float32) + 0.5 - h / 2
        columns = torch.arange(w, device=image.device, dtype=torch.float32) + 0.5 - w / 2
        distance = torch.hypot(rows[:, None], columns[None, :])
        corner = math.hypot(h, w) / 2
        return (1 - distance / corner).expand(b, 1, h, w)
