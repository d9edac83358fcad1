"""PerImage: the torchmetrics state that every metric shares, exact however many processes share the images."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PerImage(Metric):
    """A table of per-image values, gathered across processes and de-duplicated by image index.

    Keeping every value instead of running sums is what makes the result independent of how images were sharded,
    and is what standard errors and tables are computed from. 2 k float64 numbers per image are cheap.

    Args:
        columns: names of the k values of each image.
    """

    full_state_update = False
    values: list[Tensor]
    weights: list[Tensor]
    index: list[Tensor]

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.columns = columns
        self.add_state("values", [], dist_reduce_fx="cat")
        self.add_state("weights", [], dist_reduce_fx="cat")
        self.add_state("index", [], dist_reduce_fx="cat")

    def update(
        self, values: Float[Tensor, "b k"], index: Int[Tensor, " b"], weights: Float[Tensor, "b k"] | None = None
    ) -> None:
        """Add the values of b images.

        Args:
            values: (b, k), in the order of `columns`.
            index: (b,) position of each image in the split; a negative one is of an image that nothing identifies,
                which is taken for a new one.
            weights: (b, k) how much each value counts in the mean of its column; None for 1.
        """
        _append(self.values, values.double())
        _append(self.weights, torch.ones_like(values).double() if weights is None else weights.double())
        _append(self.index, index)

    def _sync_dist(self, *args: object, **kwargs: object) -> None:
        # gloo aborts when a rank without images has nothing to gather: give it an empty row set of the right width
        nothing = torch.zeros(0, len(self.columns), dtype=torch.float64, device=self.device)
        self.values.append(nothing)
        self.weights.append(nothing)
        self.index.append(torch.zeros(0, dtype=torch.int64, device=self.device))
        super()._sync_dist(*args, **kwargs)  # type: ignore[arg-type]

    def table(self) -> tuple[Int[Tensor, " n"], Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Return the index, ascending and unique, and the values and weights of the images seen.

        Images that nothing identifies come first, in the order they were seen, process by process.
        """
        if isinstance(self.index, list) and not self.index:  # before a gather a list, after it a tensor
            nothing = torch.zeros(0, len(self.columns), dtype=torch.float64)
            return torch.zeros(0, dtype=torch.int64), nothing, nothing
        index, values, weights = dim_zero_cat(self.index), dim_zero_cat(self.values), dim_zero_cat(self.weights)
        rows = torch.arange(len(index), device=index.device)
        index = torch.where(index < 0, rows - len(index), index)
        unique, inverse = torch.unique(index, return_inverse=True)
        first = torch.full_like(unique, len(index)).scatter_reduce(0, inverse, rows, "amin")
        return unique, values[first], weights[first]

    def compute(self) -> dict[str, Tensor]:
        """Return the weighted mean of each column over the images with a finite value; NaN where there is none."""
        _, values, weights = self.table()
        finite = values.isfinite()
        counted = torch.where(finite, weights, 0.0)
        means = (torch.where(finite, values, 0.0) * counted).sum(0) / counted.sum(0)
        return dict(zip(self.columns, means, strict=True))


def _append(pieces: list[Tensor], piece: Tensor) -> None:
    """Add rows, and join the last pieces while they are of like length.

    So few pieces stay, the logarithm of their rows: every tensor takes hundreds of bytes beside its numbers, which for
    images that come one by one is many times as much.
    """
    pieces.append(piece)
    while len(pieces) > 1 and len(pieces[-1]) >= len(pieces[-2]):
        pieces[-2:] = [torch.cat(pieces[-2:])]
