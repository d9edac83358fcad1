"""A fit on a few pixels whose depth is known, as by a tape measure; all others are scored."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from src.core import masked
from src.core.errors import ConfigError
from src.core.nearest_grid import nearest_grid
from src.core.sample import Sample
from src.core.seeding import derive_seed

_LAYOUTS = ("random", "grid")
_UNKNOWN = torch.iinfo(torch.int64).max
# of SplitMix64 (Steele, Lea & Flood 2014), as signed numbers
_STEP, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownPoints:
    """Which valid pixels of an image are known.

    An image with no more valid pixels than that is skipped, since none would be left to score.

    Attributes:
        points: how many; of a grid, rows times columns at most.
        layout: "random": drawn evenly among the valid pixels, by name of the image and seed alone; "grid": the valid
            pixels nearest to the centres of a grid of as many rows as columns, cells without one left out.
        seed: of the draw.
    """

    points: int
    layout: str
    seed: int

    def __post_init__(self) -> None:
        side = round(self.points**0.5) if self.points > 0 else 0
        if self.layout not in _LAYOUTS or self.points < 1 or (self.layout == "grid" and side**2 != self.points):
            msg = (
                f"known points: expected points >= 1 (of a grid a square number) and layout {' or '.join(_LAYOUTS)}, "
                f"got points={self.points}, layout={self.layout!r}"
            )
            raise ConfigError(msg)

    @property
    def label(self) -> str:
        """It in a word, as manifests have it."""
        return f"points({self.points}, {self.layout})"

    def known(self, sample: Sample) -> Bool[Tensor, "b 1 h w"]:
        """Return which pixels of each image are known: as many as asked for, all valid; none where too few are."""
        if self.layout == "grid":
            chosen, found = nearest_grid(sample.valid, round(self.points**0.5))
            # a pixel may be the nearest to two centres
            marks = torch.zeros_like(sample.valid.flatten(1), dtype=torch.int64).scatter_add_(1, chosen, found.long())
            known = (marks > 0).reshape(sample.valid.shape)
        else:
            keys = torch.where(sample.valid.flatten(1), _draws(sample, self.seed), _UNKNOWN)
            last = min(self.points, keys.shape[1])
            known = (keys <= keys.topk(last, dim=1, largest=False).values[:, -1:]).reshape(sample.valid.shape)
        enough = masked.count(sample.valid) > self.points
        return known & sample.valid & enough[:, None, None, None]


def _draws(sample: Sample, seed: int) -> Int[Tensor, "b n"]:
    """Return a number for every pixel, by name and place, alike on every device."""
    seeds = torch.tensor([derive_seed(seed, name) for name in sample.sample_id])
    device = sample.valid.device
    pixels = torch.arange(sample.valid[0].numel(), device=device)
    mixed = seeds.to(device, non_blocking=True)[:, None] + (pixels + 1) * _STEP
    mixed = (mixed ^ _shifted(mixed, 30)) * _FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
    return _shifted(mixed ^ _shifted(mixed, 31), 2)


def _shifted(values: Int[Tensor, "b n"], bits: int) -> Int[Tensor, "b n"]:
    """Shift to the right and fill with zeros."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)
