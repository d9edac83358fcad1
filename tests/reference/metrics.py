"""Plain-numpy depth errors of one image, written from the papers' formulas; imports nothing of src.

Every function takes the predicted and the true depth of the valid pixels, one-dimensional float64 arrays in metres.
"""

import numpy as np


def log_difference(p, g):
    return np.log(p) - np.log(g)


def variance_form(e):
    return np.sqrt(max(np.mean(e**2) - np.mean(e) ** 2, 0))


def worse_ratio(p, g):
    return np.maximum(p / g, g / p)


def inlier_share(threshold):
    return lambda p, g: np.mean(worse_ratio(p, g) < threshold)


def inlier_curve_area(p, g):
    x = np.linspace(0.01, 5, 100)
    share = np.array([np.mean(worse_ratio(p, g) < 1.25**power) for power in x])
    return np.sum(np.diff(x) * (share[1:] + share[:-1]) / 2) / 5


def trimmed_disparity_error(p, g):
    x, y = (1 / values - np.median(1 / values) for values in (p, g))
    x, y = (values / np.mean(np.abs(values)) if np.any(values) else values for values in (x, y))
    residual = np.sort(np.abs(x - y))
    return residual[: int(len(residual) * 0.8)].sum() / (2 * len(residual))


PIXEL_ERRORS = {
    "abs_rel": lambda p, g: np.mean(np.abs(p - g) / g),
    "abs_rel_moge": lambda p, g: np.mean(np.abs(p - g) / (g + 1e-6)),
    "sq_rel": lambda p, g: np.mean((p - g) ** 2 / g),
    "sq_rel_kitti": lambda p, g: np.mean((p - g) ** 2 / g**2),
    "mae": lambda p, g: np.mean(np.abs(p - g)),
    "rmse": lambda p, g: np.sqrt(np.mean((p - g) ** 2)),
    "rmse_log": lambda p, g: np.sqrt(np.mean(log_difference(p, g) ** 2)),
    "rmse_log10": lambda p, g: np.sqrt(np.mean((np.log10(p) - np.log10(g)) ** 2)),
    "log10": lambda p, g: np.mean(np.abs(np.log10(p) - np.log10(g))),
    "log_mae": lambda p, g: np.mean(np.abs(log_difference(p, g))),
    "median_log": lambda p, g: 100 * np.abs(np.sort(log_difference(p, g))[(p.size - 1) // 2]),
    "silog": lambda p, g: 100 * variance_form(log_difference(p, g)),
    "silog_log10": lambda p, g: variance_form(np.log10(p) - np.log10(g)),
    "silog_std": lambda p, g: 100 * np.std(log_difference(p, g), ddof=1) if len(p) > 1 else 0,
    "silog_half": lambda p, g: np.sqrt(np.mean(log_difference(p, g) ** 2) - 0.5 * np.mean(log_difference(p, g)) ** 2),
    "i_mae": lambda p, g: np.mean(np.abs(1 / p - 1 / g)),
    "i_rmse": lambda p, g: np.sqrt(np.mean((1 / p - 1 / g) ** 2)),
    "ssi_trimmed_mae": trimmed_disparity_error,
    "delta1": inlier_share(1.25),
    "delta2": inlier_share(1.25**2),
    "delta3": inlier_share(1.25**3),
    "delta_half": inlier_share(1.25**0.5),
    "delta_1p05": inlier_share(1.05),
    "delta_1p10": inlier_share(1.10),
    "tau": inlier_share(1.03),
    "delta_auc": inlier_curve_area,
    "delta1_error": lambda p, g: 100 * np.mean(worse_ratio(p, g) > 1.25),
}
