"""Moments of images add up to those of all their pixels, in any order to the bit."""

import itertools

import numpy as np
import pytest
import torch

from src.alignment.functional.moments import CONSTANT, Moments, line, merged, moments


def of_images(seed, sizes, weighted=False):
    rng = np.random.default_rng(seed)
    x = [rng.normal(5, 1e-3, n).astype(np.float32) for n in sizes]
    y = [rng.uniform(1, 80, n).astype(np.float32) for n in sizes]
    w = [rng.uniform(0.1, 3, n) for n in sizes] if weighted else None
    parts = []
    for i in range(len(sizes)):
        tensors = [torch.from_numpy(a[i])[None, None, None] for a in ((x, y) if w is None else (x, y, w))]
        parts.append(moments(*tensors[:2], torch.ones_like(tensors[0], dtype=torch.bool), *tensors[2:]))
    return x, y, w, parts


@pytest.mark.parametrize("weighted", [False, True])
def test_a_line_through_all_pixels_follows_from_the_moments_of_each_image(weighted):
    x, y, w, parts = of_images(1, (3, 1, 200, 50), weighted)
    scale, shift = line(merged(parts))

    x, y = np.concatenate(x).astype(np.float64), np.concatenate(y).astype(np.float64)
    w = np.ones_like(x) if w is None else np.concatenate(w)
    dx, dy = x - np.average(x, weights=w), y - np.average(y, weights=w)
    expected = (w * dx * dy).sum() / (w * dx * dx).sum()
    assert scale.item() == pytest.approx(expected, rel=1e-10)
    assert shift.item() == pytest.approx(np.average(y, weights=w) - expected * np.average(x, weights=w), rel=1e-10)


def test_order_changes_no_bit():
    _, _, _, parts = of_images(2, (7, 11, 1, 30))
    assert len({tuple(v.item() for v in line(merged(list(order)))) for order in itertools.permutations(parts)}) == 1


def test_images_that_are_constant_make_a_line_where_their_values_differ():
    constant = [(1.0, 3.0), (2.0, 5.0)]
    parts = [
        moments(torch.full((1, 1, 1, 4), x), torch.full((1, 1, 1, 4), y), torch.ones(1, 1, 1, 4, dtype=torch.bool))
        for x, y in constant
    ]
    assert [value.item() for value in line(merged(parts))] == pytest.approx([2.0, 1.0], rel=1e-15)
    scale, shift = line(merged(parts[:1]))
    assert (scale.item(), shift.item()) == (0.0, 3.0)
    assert CONSTANT < 1e-8


def test_no_image_gives_nan():
    nothing = Moments(**{name: torch.empty(0, dtype=torch.float64) for name in Moments.__slots__})
    assert all(value.isnan() for value in line(merged([nothing])))
