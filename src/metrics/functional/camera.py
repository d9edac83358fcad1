"""From depth maps to points in space, through a pinhole camera."""

import torch
from jaxtyping import Float
from torch import Tensor


def points(depth: Float[Tensor, "b 1 h w"], intrinsics: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 h w"]:
    """Where the pixels of a depth map lie in space.

    Args:
        depth: (b, 1, h, w) z-depth, metres.
        intrinsics: (b, 3, 3) pixels, upper triangular, pixel centres at integer + 0.5.

    Returns:
        (b, 3, h, w) float64 metres, OpenCV axes: x right, y down, z forward.

    >>> camera = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]]])
    >>> points(torch.tensor([[[[4.0, 8.0]]]]), camera).squeeze()
    tensor([[-1.,  2.],
            [ 0.,  0.],
            [ 4.,  8.]], dtype=torch.float64)
    """
    height, width = depth.shape[-2:]
    camera = intrinsics.double()[:, :, :, None, None]
    v = torch.arange(height, dtype=torch.float64, device=depth.device)[:, None] + 0.5
    u = torch.arange(width, dtype=torch.float64, device=depth.device) + 0.5
    y = ((v - camera[:, 1, 2]) / camera[:, 1, 1]).expand(-1, height, width)
    x = (u - camera[:, 0, 2] - camera[:, 0, 1] * y) / camera[:, 0, 0]
    return torch.stack([x, y, torch.ones_like(x)], 1) * depth
