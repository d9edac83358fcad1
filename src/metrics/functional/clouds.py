"""Distances between the predicted and the true point cloud of a scene, on the host."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

Cloud = Float[np.ndarray, "n 3"]
Distances = Float[np.ndarray, " n"]


def nearest_distances(predicted: Cloud, true: Cloud) -> tuple[Distances, Distances]:
    """Distance of every predicted point to the nearest true one, and of every true point to the nearest predicted one.

    NaN where a predicted point is not finite; empty for empty clouds.

    >>> predicted, true = np.array([[0.0, 0, 1], [0, 0, 2]]), np.array([[0.0, 0, 1], [0, 3, 6]])
    >>> [distances.tolist() for distances in nearest_distances(predicted, true)]
    [[0.0, 1.0], [0.0, 5.0]]
    """
    if not np.isfinite(predicted).all() or not len(true):
        return np.full(len(predicted), np.nan), np.full(len(true), np.nan)
    # trees built by halving the box, not the points, take half the time and answer as fast
    trees = [KDTree(cloud, balanced_tree=False, compact_nodes=False) for cloud in (true, predicted)]
    to_true, to_predicted = (tree.query(cloud)[0] for tree, cloud in zip(trees, (predicted, true), strict=True))
    return to_true, to_predicted


def chamfer(to_true: Distances, to_predicted: Distances) -> float:
    """Chamfer distance: mean distance to the nearest true point plus mean distance to the nearest predicted one.

    In the unit of the points, lower is better; NaN for empty clouds. Örnek et al. 2022; Spencer et al. 2022 (MDEC).
    """
    return float(to_true.mean() + to_predicted.mean()) if len(to_true) else np.nan


def f_score(to_true: Distances, to_predicted: Distances, *, threshold: float) -> float:
    """F-score: 100 * 2 P R / (P + R) of the shares P of predicted and R of true points nearer than `threshold`.

    Percent, higher is better; NaN for empty clouds. Where both shares are below one in a thousand it is 100 P, as in
    the challenge's evaluator. Örnek et al. 2022; Spencer et al. 2022 (MDEC).
    """
    if not len(to_true) or not np.isfinite(to_true).all():
        return np.nan
    precision, recall = np.mean(to_true < threshold), np.mean(to_predicted < threshold)
    if precision < 1e-3 and recall < 1e-3:
        return float(100 * precision)
    return float(100 * 2 * precision * recall / (precision + recall))
