"""Plain-numpy alignments for one image at a time, written from the published descriptions; imports nothing of src.

Every function takes float arrays of one shape and a boolean mask, and works in float64.
"""

import math

import numpy as np


def median_scale(prediction, target, valid):
    return np.median(target[valid].astype(np.float64)) / np.median(prediction[valid].astype(np.float64))


def lower_median_scale(prediction, target, valid):
    """As torch.median has it."""
    n = (valid.sum() - 1) // 2
    return np.sort(target[valid].astype(np.float64))[n] / np.sort(prediction[valid].astype(np.float64))[n]


def median_of_ratios(prediction, target, valid):
    return np.median(target[valid].astype(np.float64) / prediction[valid])


def least_squares_scale(prediction, target, valid, weight=None):
    root = np.sqrt(weight[valid]) if weight is not None else 1.0
    column = (root * prediction[valid].astype(np.float64))[:, None]
    return np.linalg.lstsq(column, root * target[valid].astype(np.float64), rcond=None)[0][0]


def least_squares_affine(prediction, target, valid, weight=None):
    root = np.sqrt(weight[valid]) if weight is not None else np.ones(int(valid.sum()))
    x = prediction[valid].astype(np.float64)
    offset = x.mean()
    design = np.stack([root * (x - offset), root], axis=1)
    scale, shift = np.linalg.lstsq(design, root * target[valid].astype(np.float64), rcond=None)[0]
    return scale, shift - scale * offset


def least_absolute_scale(prediction, target, valid, weight):
    """Try every ratio: the objective is piecewise linear, so one of its kinks is a minimum."""
    x, y, w = (array[valid].astype(np.float64) for array in (prediction, target, weight))
    candidates = np.sort(y[x != 0] / x[x != 0])
    losses = [(w * np.abs(s * x - y)).sum() for s in candidates]
    return candidates[int(np.argmin(losses))]


def least_absolute_affine(prediction, target, valid, weight):
    """Try every pixel as anchor and, through it, every other pixel."""
    x, y, w = (array[valid].astype(np.float64) for array in (prediction, target, weight))
    best = (np.inf, 0.0, float(y[0]))
    for i in range(len(x)):
        for j in range(len(x)):
            if x[i] != x[j]:
                scale = (y[j] - y[i]) / (x[j] - x[i])
                shift = y[i] - scale * x[i]
                best = min(best, ((w * np.abs(scale * x + shift - y)).sum(), scale, shift))
    return best


def normal_equations_affine(prediction, target, valid):
    """MiDaS: the 2 x 2 system in sums; scale and shift 0 where its determinant is not positive."""
    x, y = prediction[valid].astype(np.float64), target[valid].astype(np.float64)
    a00, a01, a11 = (x * x).sum(), x.sum(), float(len(x))
    b0, b1 = (x * y).sum(), y.sum()
    determinant = a00 * a11 - a01 * a01
    if determinant <= 0:
        return 0.0, 0.0
    return (a11 * b0 - a01 * b1) / determinant, (a00 * b1 - a01 * b0) / determinant


def median_deviation_affine(prediction, target, valid):
    x, y = prediction[valid].astype(np.float64), target[valid].astype(np.float64)
    deviation = [np.abs(values - np.median(values)).mean() for values in (x, y)]
    scale = deviation[1] / deviation[0]
    return scale, np.median(y) - scale * np.median(x)


def percentile_band(prediction, valid, low, high):
    """MDEC 2025: the valid pixels strictly between two percentiles of the prediction."""
    values = prediction[valid].astype(np.float64)
    return valid & (prediction > np.percentile(values, low)) & (prediction < np.percentile(values, high))


def inverse(target, valid):
    result = np.zeros(target.shape)
    result[valid] = 1 / target[valid].astype(np.float64)
    return result


def affine_disparity_depth(disparity, target, valid, *, floor):
    scale, shift = least_squares_affine(disparity, inverse(target, valid), valid)
    return 1 / np.maximum(scale * disparity.astype(np.float64) + shift, floor)


def nearest_grid(valid, cells):
    """For every cell of a cells x cells grid the (row, column) of the valid pixel that stands for it, or None."""
    height, width = valid.shape
    steps = [max(1.0, side / cells) for side in (height, width)]
    chosen = []
    for i in range(cells):
        for j in range(cells):
            centre = [(k + 0.5) * side / cells for k, side in ((i, height), (j, width))]
            # round() is half to even, as torch.round is
            first = [round(c - step / 2) for c, step in zip(centre, steps, strict=True)]
            best = None
            for row in range(first[0], first[0] + math.ceil(steps[0])):
                for column in range(first[1], first[1] + math.ceil(steps[1])):
                    if 0 <= row < height and 0 <= column < width and valid[row, column]:
                        distance = (row + 0.5 - centre[0]) ** 2 + (column + 0.5 - centre[1]) ** 2
                        if best is None or distance < best[0]:
                            best = (distance, row, column)
            chosen.append(None if best is None else best[1:])
    return chosen
