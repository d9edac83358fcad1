"""Plain-numpy point cloud errors of one image, by brute force; imports nothing of src."""

import numpy as np


def back_project(depth, mask, fx, fy, cx, cy):
    row, column = np.nonzero(mask)
    z = depth[mask].astype(np.float64)
    return np.stack([(column + 0.5 - cx) * z / fx, (row + 0.5 - cy) * z / fy, z], axis=1)


def cloud_errors(predicted, true, thresholds=(0.1, 0.2)):
    distance = np.linalg.norm(predicted[:, None] - true[None], axis=2)
    to_true, to_predicted = distance.min(1), distance.min(0)
    scores = [to_true.mean() + to_predicted.mean()]
    for threshold in thresholds:
        p, r = np.mean(to_true < threshold), np.mean(to_predicted < threshold)
        scores.append(100 * 2 * p * r / (p + r))
    return scores
