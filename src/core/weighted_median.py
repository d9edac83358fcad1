"""The weighted median, in which minimisers of absolute errors are built."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def weighted_median(values: Float[Tensor, "b n"], weight: Float[Tensor, "b n"]) -> Int[Tensor, " b"]:
    """Position of the lower weighted median of each row: at and below it lies at least half of the weight.

    It minimises sum w abs(v - m) over m; where the minimisers are an interval, it is the lower end.

    Args:
        values: (b, n).
        weight: (b, n), >= 0. What has no weight is never chosen, unless the whole row has none.

    >>> weighted_median(torch.tensor([[5.0, 1.0, 3.0]]), torch.tensor([[3.0, 1.0, 1.0]]))
    tensor([0])
    """
    order = values.sort(dim=1, stable=True).indices
    cumulative = weight.gather(1, order).cumsum(1)
    half = torch.searchsorted(cumulative, cumulative[:, -1:] / 2).clamp_max(values.shape[1] - 1)
    position: Tensor = order.gather(1, half).squeeze(1)
    return position
