"""Plain-numpy alignments for one image at a time, written from the published descriptions; imports nothing of src.

Every function takes float arrays of one shape and a boolean mask, and works in float64.
"""

import numpy as np


def median_scale(prediction, target, valid):
    return np.median(target[valid].astype(np.float64)) / np.median(prediction[valid].astype(np.float64))


def least_squares_scale(prediction, target, valid):
    column = prediction[valid].astype(np.float64)[:, None]
    return np.linalg.lstsq(column, target[valid].astype(np.float64), rcond=None)[0][0]


def least_squares_affine(prediction, target, valid):
    x = prediction[valid].astype(np.float64)
    offset = x.mean()
    design = np.stack([x - offset, np.ones_like(x)], axis=1)
    scale, shift = np.linalg.lstsq(design, target[valid].astype(np.float64), rcond=None)[0]
    return scale, shift - scale * offset


def affine_disparity_depth(disparity, target, valid, *, floor):
    inverse = np.zeros(target.shape)
    inverse[valid] = 1 / target[valid].astype(np.float64)
    scale, shift = least_squares_affine(disparity, inverse, valid)
    return 1 / np.maximum(scale * disparity + shift, floor)
