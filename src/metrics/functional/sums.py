"""Sums over the valid pixels of each image, (b,) float64, that depth errors are made of.

p is predicted and g true depth in metres, and e = ln p - ln g. What is not valid adds 0.
"""

import torch
from torch import Tensor

from src.metrics.functional.residuals import PerImage, Pixels, Residuals


def abs_relative(errors: Residuals) -> PerImage:
    """Sum of abs(p - g) / g."""
    return _total(errors.abs_relative)


def abs_relative_moge(errors: Residuals) -> PerImage:
    """Sum of abs(p - g) / (g + 1e-6 m)."""
    return _total((errors.difference / (errors.target + 1e-6)).abs())


def square_relative(errors: Residuals) -> PerImage:
    """Sum of (p - g)^2 / g^2."""
    return _squares(errors.relative)


def square_over_target(errors: Residuals) -> PerImage:
    """Sum of (p - g)^2 / g."""
    return _total(errors.difference * errors.relative)


def abs_difference(errors: Residuals) -> PerImage:
    """Sum of abs(p - g)."""
    return _total(errors.difference.abs())


def square_difference(errors: Residuals) -> PerImage:
    """Sum of (p - g)^2."""
    return _squares(errors.difference)


def log(errors: Residuals) -> PerImage:
    """Sum of e."""
    return _total(errors.log_ratio)


def abs_log(errors: Residuals) -> PerImage:
    """Sum of abs(e)."""
    return _total(errors.log_ratio.abs())


def square_log(errors: Residuals) -> PerImage:
    """Sum of e^2."""
    return _squares(errors.log_ratio)


def shifted_log(errors: Residuals) -> PerImage:
    """Sum of e less its value at one pixel."""
    return _total(errors.shifted_log_ratio)


def square_shifted_log(errors: Residuals) -> PerImage:
    """Sum of the squares of e less its value at one pixel."""
    return _squares(errors.shifted_log_ratio)


def abs_inverse_difference(errors: Residuals) -> PerImage:
    """Sum of abs(1/p - 1/g)."""
    return _total(errors.inverse_difference.abs())


def square_inverse_difference(errors: Residuals) -> PerImage:
    """Sum of (1/p - 1/g)^2."""
    return _squares(errors.inverse_difference)


def count_above_125(errors: Residuals) -> PerImage:
    """Number of pixels with max(p/g, g/p) > 1.25."""
    return _total((errors.worse_ratio > 1.25).double())


def area_under_inlier_curve(errors: Residuals) -> PerImage:
    """Sum over pixels of the area under 1 if max(p/g, g/p) < 1.25^x else 0, x from 0.01 to 5, divided by 5."""
    x = torch.linspace(0.01, 5, 100, dtype=torch.float64, device=errors.target.device)
    weights = torch.full_like(x, (5 - 0.01) / 99 / 5)
    weights[0] = weights[-1] = weights[0] / 2
    # a pixel is an inlier from the first threshold above its ratio on, and contributes all weights from there
    remaining = torch.cat([weights.flip(0).cumsum(0).flip(0), weights.new_zeros(1)])
    first = torch.bucketize(errors.worse_ratio, 1.25**x, right=True)
    areas = remaining[first]
    return _total(areas if errors.valid is None else torch.where(errors.valid, areas, 0.0))


def _total(values: Pixels) -> PerImage:
    return values.sum(1)


def _squares(values: Pixels) -> PerImage:
    # a norm is one vectorised pass on the CPU, where a product of a map with itself writes a second map
    norm: Tensor = torch.linalg.vector_norm(values, dim=1)
    return norm.square()
