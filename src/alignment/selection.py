"""Which of the valid pixels a fit uses; scoring always uses all of them."""

import abc
import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from src.core import masked
from src.core.nearest_grid import nearest_grid

Map = Float[Tensor, "b 1 h w"]
Mask = Bool[Tensor, "b 1 h w"]
Selected = tuple[Float[Tensor, "b 1 r c"], Float[Tensor, "b 1 r c"], Bool[Tensor, "b 1 r c"]]


class Selection(abc.ABC):
    """Narrows the pixels of a fit. A subclass writes `select`."""

    needs_grid: ClassVar[bool] = False
    """Whether it depends on where pixels are, not only on their values."""

    @abc.abstractmethod
    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """Return prediction, true depth and mask of the fit, possibly on a smaller grid.

        Args:
            prediction: (b, 1, h, w) in the quantity that the fit is made in.
            depth: (b, 1, h, w) true depth, metres.
            valid: (b, 1, h, w).
        """


@dataclasses.dataclass(frozen=True)
class Positive(Selection):
    """Valid pixels whose prediction is above 0 (Marigold's disparity fit)."""

    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """See the base class; NaN is kept, so that it is not repaired."""
        return prediction, depth, valid & ~(prediction <= 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantileBand(Selection):
    """Valid pixels whose prediction lies strictly between two quantiles of the image's valid predictions (MDEC 2025).

    Attributes:
        lower: between 0 and 1.
        upper: between 0 and 1, above `lower`.
    """

    lower: float
    upper: float

    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """See the base class; NaN on a valid pixel is kept, so that it is not repaired."""
        low, high = (masked.quantile(prediction, valid, q)[:, None, None, None] for q in (self.lower, self.upper))
        return prediction, depth, valid & ~((prediction <= low) | (prediction >= high))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FewerColumns(Selection):
    """All rows but only every so many columns, as Marigold's reduction for large images really works.

    Its name there promises a longer side of 1024, but the reduction meets a three-dimensional array and shrinks the
    width alone: ETH3D's 4032 x 6048 becomes 4032 x 1024.

    Attributes:
        longer_side: pixels; the width shrinks by the factor that would bring the longer side there, smaller images
            stay as they are.
    """

    longer_side: int

    needs_grid: ClassVar = True

    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """See the base class; with f = longer_side / max(h, w), column j of floor(w f) is taken from floor(j / f)."""
        height, width = depth.shape[-2:]
        factor = self.longer_side / max(height, width)
        if factor >= 1:
            return prediction, depth, valid
        every = torch.arange(width, device=depth.device, dtype=torch.float32)[None, None]
        columns = F.interpolate(every, scale_factor=factor, mode="nearest").flatten().long()  # as the original rounds
        return prediction[..., columns], depth[..., columns], valid[..., columns]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearestGrid(Selection):
    """A coarse square grid of the valid pixels nearest to the centres of its cells (MoGe, through utils3d).

    See `src.core.nearest_grid`. A cell without a valid pixel in its window is not valid.

    Attributes:
        cells: number of rows and of columns.
    """

    cells: int

    needs_grid: ClassVar = True

    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """See the base class; the result is (b, 1, cells, cells)."""
        chosen, found = nearest_grid(valid, self.cells)

        def pick(values: Tensor) -> Tensor:
            return values.flatten(1).gather(1, chosen).reshape(-1, 1, self.cells, self.cells)

        return pick(prediction), pick(depth), found.reshape(-1, 1, self.cells, self.cells)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Successive(Selection):
    """One selection after another.

    Attributes:
        first: narrows the valid pixels.
        then: narrows what the first leaves.
    """

    first: Selection
    then: Selection

    @property
    def needs_grid(self) -> bool:  # type: ignore[override]
        """Whether one of them does."""
        return self.first.needs_grid or self.then.needs_grid

    def select(self, prediction: Map, depth: Map, valid: Mask) -> Selected:
        """See the base class."""
        return self.then.select(*self.first.select(prediction, depth, valid))
