"""How flat and how well oriented planes of the scene are in predicted depth."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from src.core import masked
from src.metrics.functional.camera import points

Map = Float[Tensor, "b 1 h w"]
PerPlane = Float[Tensor, "b p"]

LEAST_SHARE = 0.05
"""Smaller planes, as a share of the pixels of the image, are left out."""


def plane_errors(
    depth: Map,
    target: Map,
    valid: Bool[Tensor, "b 1 h w"],
    segments: Int[Tensor, "b 1 h w"],
    normals: Float[Tensor, "b p 3"],
    intrinsics: Float[Tensor, "b 3 3"],
) -> tuple[PerPlane, PerPlane]:
    """Planarity errors of iBims-1. Lower is better. Koch et al. 2018; their Python evaluator, version 0.9.

    The predicted depth of each annotated plane is scaled by the ratio of the medians of true and predicted depth and
    put into space; the direction in which these points vary least is the normal of the fitted plane.

    Args:
        depth: (b, 1, h, w) predicted depth, metres.
        target: (b, 1, h, w) true depth, metres.
        valid: (b, 1, h, w).
        segments: (b, 1, h, w) label k from 1 marks the plane of row k - 1 of `normals`, 0 none.
        normals: (b, p, 3) unit normals, OpenCV axes; NaN rows where there is no plane.
        intrinsics: (b, 3, 3) pixels of this grid.

    Returns:
        (b, p) float64 flatness, the standard deviation of the distances to the fitted plane in centimetres, and angle
        between fitted and true normal in degrees, 0 to 90. NaN where there is no plane or its valid pixels are fewer
        than 5 % of the image.
    """
    number = normals.shape[1]
    if number == 0:
        nothing = normals.new_empty(len(depth), 0, dtype=torch.float64)
        return nothing, nothing
    spreads, angles = [], []
    for k in range(number):
        plane = (segments == k + 1) & valid
        n = masked.count(plane)
        counted = (n >= LEAST_SHARE * plane[0].numel()) & (n > 0)
        scale = masked.median(target, plane) / masked.median(depth, plane)
        cloud = points(torch.where(plane, depth * scale[:, None, None, None], 0.0), intrinsics).flatten(2)
        centred = torch.where(plane.flatten(2), cloud - cloud.sum(2, keepdim=True) / n[:, None, None], 0.0)
        covariance = centred @ centred.mT / n[:, None, None]
        defined = counted & covariance.flatten(1).isfinite().all(1)
        identity = torch.eye(3, dtype=torch.float64, device=depth.device)
        variances, directions = torch.linalg.eigh(torch.where(defined[:, None, None], covariance, identity))
        fitted, true = directions[:, :, 0], normals[:, k].double()
        sine, cosine = torch.linalg.cross(true, fitted).norm(dim=1), (true * fitted).sum(1).abs()
        spreads.append(torch.where(defined, 100 * variances[:, 0].clamp_min(0).sqrt(), torch.nan))
        angles.append(torch.where(defined, torch.atan2(sine, cosine).rad2deg(), torch.nan))
    return torch.stack(spreads, 1), torch.stack(angles, 1)
