"""A coarse grid of valid pixels, on which costly fits are made."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def nearest_grid(valid: Bool[Tensor, "b 1 h w"], cells: int) -> tuple[Int[Tensor, "b n"], Bool[Tensor, "b n"]]:
    """For every cell of a cells x cells grid over the image, the valid pixel nearest to its centre.

    A cell looks at a window of ceil(h / cells) x ceil(w / cells) pixels that starts at the cell's own corner, rounded
    half to even, so windows overlap where the size is no multiple of the grid. Among equally near pixels the first in
    row-major order wins. (MoGe's evaluator, through utils3d.)

    Returns:
        (b, cells * cells) row-major index of the chosen pixel, arbitrary where there is none, and whether there is one.
    """
    height, width = valid.shape[-2:]
    rows, row_offsets = _windows(height, cells, valid.device)
    columns, column_offsets = _windows(width, cells, valid.device)
    distance = row_offsets[:, None, :, None] ** 2 + column_offsets[None, :, None, :] ** 2
    index = (rows[:, None, :, None] * width + columns[None, :, None, :]).flatten(2)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    index = index.clamp(0, height * width - 1)
    seen = valid.flatten(1)[:, index] & inside.flatten(2)
    nearest = torch.where(seen, distance.flatten(2), torch.inf).argmin(-1)
    chosen: Tensor = index.expand(seen.shape).gather(-1, nearest[..., None])[..., 0]
    return chosen.flatten(1), seen.any(-1).flatten(1)


def _windows(side: int, cells: int, device: torch.device) -> tuple[Int[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Pixels that each cell looks at along one side, and their offsets from its centre in pixels."""
    step = max(1.0, side / cells)
    centres = (torch.arange(cells, dtype=torch.float64, device=device) + 0.5) * side / cells
    first = (centres - step / 2).round()
    pixels = first[:, None] + torch.arange(math.ceil(step), device=device)
    return pixels.long(), pixels + 0.5 - centres[:, None]
