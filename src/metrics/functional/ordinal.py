"""Ordinal errors: whether predicted depth orders annotated point pairs as people did."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def ordered_pairs(
    depth: Float[Tensor, "b 1 h w"], point_pairs: Int[Tensor, "b n 5"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Count the point pairs of each image, and those whose order in depth is the annotated one.

    Args:
        depth: (b, 1, h, w) predicted depth, of any scale and shift; read at the annotated pixel itself.
        point_pairs: (b, n, 5) rows (row 1, column 1, row 2, column 2, relation); relation +1 where point 1 is farther,
            -1 where it is nearer, 0 for padding, which does not count.

    Returns:
        (b,) float64 number of pairs with (z1 - z2) relation > 0, and number of all pairs. A tie is not ordered.

    >>> depth = torch.tensor([[1.0, 2.0], [2.0, 4.0]])[None, None]
    >>> pairs = torch.tensor([[0, 0, 0, 1, -1], [0, 1, 1, 0, 1], [1, 1, 0, 0, 1], [0, 0, 0, 0, 0]])[None]
    >>> ordered_pairs(depth, pairs)
    (tensor([2.], dtype=torch.float64), tensor([3.], dtype=torch.float64))
    """
    row1, column1, row2, column2, relation = point_pairs.unbind(2)
    width = depth.shape[-1]
    values = depth.flatten(1)
    first, second = (values.gather(1, row * width + column) for row, column in ((row1, column1), (row2, column2)))
    ordered = torch.where(relation > 0, first > second, first < second) & (relation != 0)
    return ordered.sum(1).double(), (relation != 0).sum(1).double()
