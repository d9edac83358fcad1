"""Plain-numpy iBims-1 errors of one image, written from the published definitions; imports nothing of src."""

import numpy as np
from scipy import ndimage


def canny(image, sigma, low, high):
    """Pixel by pixel, with the four sectors of gradient direction spelt out."""
    seen = ndimage.gaussian_filter(np.ones(image.shape), sigma, mode="constant", cval=0)
    smooth = ndimage.gaussian_filter(image, sigma, mode="constant", cval=0) / seen
    gi, gj = ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)
    magnitude = np.sqrt(gi**2 + gj**2)
    weak = np.zeros(image.shape, dtype=bool)
    for r in range(1, image.shape[0] - 1):
        for c in range(1, image.shape[1] - 1):
            m, a, b = magnitude[r, c], abs(gi[r, c]), abs(gj[r, c])
            if m < low:
                continue
            same_sign = (gi[r, c] > 0) == (gj[r, c] > 0)
            diagonal = (1, 1) if same_sign else (1, -1)
            straight, w = ((1, 0), b / a) if a > b else ((0, diagonal[1]), a / b)
            ahead = (1 - w) * magnitude[r + straight[0], c + straight[1]]
            ahead += w * magnitude[r + diagonal[0], c + diagonal[1]]
            behind = (1 - w) * magnitude[r - straight[0], c - straight[1]]
            behind += w * magnitude[r - diagonal[0], c - diagonal[1]]
            weak[r, c] = ahead <= m and behind <= m
    kept = weak & (magnitude >= high)
    while True:
        grown = weak & ndimage.maximum_filter(kept, 3)
        if (grown == kept).all():
            return kept
        kept = grown


def boundary_errors(edges_found, edges):
    """Accuracy and completeness by brute force over all pairs of edge pixels."""
    true, found = np.argwhere(edges), np.argwhere(edges_found)
    if not len(true):
        return np.nan, np.nan
    if not len(found):
        return 10.0, 10.0
    distance = np.sqrt(((found[:, None] - true[None]) ** 2).sum(2))
    nearest = distance.min(1)
    if not (nearest < 10).any():
        return 10.0, 10.0
    return nearest[nearest < 10].mean(), distance.min(0).mean()


def plane_errors(depth, target, mask, normal, fx, fy, cx, cy):
    """Flatness (cm) and angle (degrees); pixel coordinates count from 1, and so does (cx, cy); normal is x, y, z."""
    if mask.sum() / mask.size < 0.05:
        return np.nan, np.nan
    z = depth[mask] * (np.median(target[mask]) / np.median(depth[mask]))
    row, column = np.nonzero(mask)
    cloud = np.stack([(column + 1 - cx) * z / fx, (row + 1 - cy) * z / fy, z], axis=1)
    cloud = cloud - cloud.mean(0)
    fitted = np.linalg.svd(cloud, full_matrices=False)[2][2]
    if fitted @ normal < 0:
        fitted = -fitted
    angle = np.arctan2(np.linalg.norm(np.cross(normal, fitted)), normal @ fitted)
    return 100 * np.std(cloud @ fitted), np.degrees(angle)
