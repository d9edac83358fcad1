"""Plain-numpy boundary scores of one image, written from the papers' definitions; imports nothing of src."""

import numpy as np


def _sides(values):
    """(pixel, its neighbour) for the left, upper, right and lower neighbour."""
    return [
        (values[:, 1:], values[:, :-1]),
        (values[1:], values[:-1]),
        (values[:, :-1], values[:, 1:]),
        (values[:-1], values[1:]),
    ]


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def scale_invariant_f1(depth, target):
    thresholds = np.linspace(1.05, 1.25, 10)
    scores = []
    for t in thresholds:
        precision, recall = [], []
        inverse = [1 / np.maximum(values.astype(np.float64), 1e-6) for values in (depth, target)]
        for (p, p_next), (g, g_next) in zip(*map(_sides, inverse), strict=True):
            predicted, true = p / p_next > t, g / g_next > t
            hits = np.sum(predicted & true)
            precision.append(hits / max(predicted.sum(), 1))
            recall.append(hits / max(true.sum(), 1))
        scores.append(f1(np.mean(precision), np.mean(recall)))
    return np.sum(scores * thresholds / thresholds.sum())


def _keep_first_largest_of_runs(step, threshold):
    kept = np.zeros(step.shape, dtype=bool)
    for r, row in enumerate(step):
        c = 0
        while c < len(row):
            end = c
            while end < len(row) and row[end] > threshold:
                end += 1
            if end > c:
                kept[r, c + np.argmax(row[c:end])] = True
            c = end + 1
    return kept


def matte_recall(depth, foreground):
    thresholds = np.linspace(1.05, 1.25, 10)
    inverse = 1 / np.maximum(depth.astype(np.float64), 1e-6)
    scores = []
    for t in thresholds:
        recall = []
        for side, ((q, q_next), (m, m_next)) in enumerate(zip(_sides(inverse), _sides(foreground), strict=True)):
            step = q / q_next
            edges = _keep_first_largest_of_runs(step.T, t).T if side % 2 else _keep_first_largest_of_runs(step, t)
            true = m & ~m_next
            recall.append(np.sum(edges & true) / max(true.sum(), 1))
        scores.append(np.mean(recall))
    return np.sum(scores * thresholds / thresholds.sum())


def pooled_f1(depth, target, valid, radius):
    height, width = depth.shape
    excess = np.linspace(0.05, 0.25, 10)
    scores = []
    for t in excess:
        hits = predicted = true = 0
        for r in range(radius, height - radius):
            for c in range(radius, width - radius):
                for dr in range(-radius, radius + 1):
                    for dc in range(-radius, radius + 1):
                        if dr**2 + dc**2 > radius**2 or not (valid[r, c] and valid[r + dr, c + dc]):
                            continue
                        p = depth[r + dr, c + dc] / depth[r, c] > 1 + t
                        g = target[r + dr, c + dc] / target[r, c] > 1 + t
                        hits, predicted, true = hits + (p and g), predicted + p, true + g
        scores.append(f1(hits / max(predicted, 1), hits / max(true, 1)))
    return np.sum(scores * excess) / excess.sum()
