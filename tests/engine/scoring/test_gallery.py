"""What is kept depends on the images alone: not on processes, batches or interruptions."""

import math

import numpy as np
import pytest

from src.engine.scoring.gallery import Gallery, ranked, spread
from src.engine.scoring.panels import _picked_intrinsics


def keep(parts, total, count):
    """Run one gallery over each part, as processes do, and return the indices whose files are left at the end."""
    files, everything = set(), {}
    for batches in parts:
        gallery = Gallery(total=total, count=count)
        for batch in batches:
            wanted, displaced = gallery.add(batch)
            assert wanted <= batch.keys()
            files = (files | wanted) - displaced
            everything |= batch
    return Gallery(total=total, count=count).final(everything, files), files


def split(badness, order, size):
    return [{i: badness[i] for i in order[start : start + size]} for start in range(0, len(order), size)]


@pytest.mark.parametrize("seed", range(8))
def test_any_number_of_processes_keeps_the_same_images(seed):
    generator = np.random.default_rng(seed)
    total = 90
    # coarse, so that many images are equally bad
    badness = dict(enumerate(np.round(generator.lognormal(size=total), 1).tolist()))
    badness[7], badness[8], badness[50] = math.inf, math.inf, math.nan
    indices = list(range(total))
    alone, files = keep([split(badness, indices, 1)], total, 4)
    for world in (2, 3):
        shards = [split(badness, indices[rank::world], 5) for rank in range(world)]
        assert keep(shards, total, 4)[0] == alone
    shuffled = generator.permutation(total).tolist()
    assert keep([split(badness, shuffled, 7)], total, 4)[0] == alone

    order = ranked(badness)
    assert spread(total, 4) <= alone
    assert {order[0], order[-1], order[-2]} <= alone
    assert {7, 8} == {order[-1], order[-2]}
    (median,) = alone - spread(total, 4) - {order[0], order[-1], order[-2]}
    assert abs(order.index(median) / (len(order) - 1) - 0.5) < 0.1
    assert len(files) <= 4 + 32 + 3


def test_a_run_that_goes_on_keeps_what_an_undisturbed_one_keeps():
    badness = dict(enumerate(np.random.default_rng(1).lognormal(size=60).tolist()))
    alone, _ = keep([split(badness, list(range(60)), 4)], 60, 2)
    first, second = Gallery(total=60, count=2), Gallery(total=60, count=2)
    files = set()
    for batch in split(badness, list(range(28)), 4):
        wanted, displaced = first.add(batch)
        files = (files | wanted) - displaced
    second.add({i: badness[i] for i in range(28)})
    for batch in split(badness, list(range(28, 60)), 4):
        wanted, displaced = second.add(batch)
        files = (files | wanted) - displaced
    assert second.final(badness, files) == alone


def test_small_splits_keep_everything_they_have():
    badness = {0: 0.3, 1: 0.1, 2: 0.2}
    assert keep([split(badness, [0, 1, 2], 1)], 3, 4)[0] == {0, 1, 2}
    assert keep([[{}]], 0, 4) == (frozenset(), set())


def test_zero_keeps_nothing():
    assert keep([[{0: 0.3, 1: 0.1}]], 2, 0) == (frozenset(), set())


def test_nothing_scored_leaves_the_spread_ones():
    assert keep([[dict.fromkeys(range(50), math.nan)]], 50, 2)[0] == {12, 37}


def test_picked_intrinsics_project_a_pixel_onto_itself():
    """A point seen at the centre of a pixel that was picked is seen at the centre of that pixel of the picked grid."""
    first = np.array([[500.0, 0, 320.3], [0, 510.0, 239.6], [0, 0, 1]])
    for step in (1, 2, 3, 4):
        picked = _picked_intrinsics(first, step)
        for i in (0, 3):
            centre = step // 2 + step * i + 0.5
            ray = np.linalg.solve(first, [centre, centre, 1])
            assert picked @ ray == pytest.approx([i + 0.5, i + 0.5, 1])
