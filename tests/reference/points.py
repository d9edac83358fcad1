"""Plain-numpy point errors of one image, with fits by exhaustive search; imports nothing of src."""

import numpy as np


def back_project(depth, fx, fy, cx, cy):
    """Points of all pixels, (n, 3), pixel centres at integer + 0.5."""
    row, column = np.indices(depth.shape) + 0.5
    z = depth.astype(np.float64)
    return np.stack([(column - cx) * z / fx, (row - cy) * z / fy, z], axis=2).reshape(-1, 3)


def grid(valid, cells):
    """For every cell the valid pixel nearest to its centre, looking no further than one cell; row-major indices."""
    height, width = valid.shape
    step_r, step_c = max(1, height / cells), max(1, width / cells)
    chosen = []
    for i in range(cells):
        for j in range(cells):
            centre_r, centre_c = (i + 0.5) * height / cells, (j + 0.5) * width / cells
            first_r, first_c = round(centre_r - step_r / 2), round(centre_c - step_c / 2)
            window = [
                ((r + 0.5 - centre_r) ** 2 + (c + 0.5 - centre_c) ** 2, r * width + c)
                for r in range(first_r, first_r + int(np.ceil(step_r)))
                for c in range(first_c, first_c + int(np.ceil(step_c)))
                if 0 <= r < height and 0 <= c < width and valid[r, c]
            ]
            if window:
                chosen.append(min(window, key=lambda entry: entry[0])[1])
    return np.array(chosen)


def best_shift(p, g, w):
    """Every candidate per axis is tried: an optimum lies on one of the differences."""
    shift = []
    for axis in range(3):
        candidates = (g - p)[:, axis]
        loss = [np.sum(w * np.abs(p[:, axis] + t - g[:, axis])) for t in candidates]
        shift.append(candidates[np.argmin(loss)])
    return np.array(shift)


def best_scale(p, g, w):
    """Every ratio of coordinates is tried."""
    candidates = (g / p)[p != 0]
    return candidates[np.argmin([np.sum(w[:, None] * np.abs(s * p - g)) for s in candidates])]


def best_scale_and_shift(p, g, w):
    """Every anchor point is tried with every ratio, and with 0 for points that are all in one place."""
    best = (np.inf, None, None)
    for anchor in range(len(p)):
        x, y = p - p[anchor], g - g[anchor]
        for s in (0.0, *(y / np.where(x == 0, np.nan, x)).ravel()):
            if np.isfinite(s):
                loss = np.sum(w[:, None] * np.abs(s * x - y))
                best = min(best, (loss, s, anchor), key=lambda entry: entry[0])
    _, s, anchor = best
    return s, g[anchor] - s * p[anchor]


def relative(p, g):
    error, distance = np.linalg.norm(p - g, axis=1), np.linalg.norm(g, axis=1)
    inside = error < 0.25 * np.minimum(distance, np.linalg.norm(p, axis=1))
    return np.mean(error / (distance + 1e-6)), np.mean(inside)
