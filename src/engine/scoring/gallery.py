"""Which images of a run are worth a picture: decided while it goes, alike for any number of processes."""

import math
from collections.abc import Collection, Iterable, Mapping

_WORST = 2
_BEST = 1
_CANDIDATES = 32
"""Images among which the one nearest to the median is chosen: expect it within 2 % of the middle rank."""


def spread(total: int, count: int) -> frozenset[int]:
    """Return up to `count` positions spread evenly over a split of `total` images; the same for every model.

    >>> sorted(spread(100, 4))
    [12, 37, 62, 87]
    >>> sorted(spread(3, 4))
    [0, 1, 2]
    """
    parts = min(count, total)
    return frozenset((2 * place + 1) * total // (2 * parts) for place in range(parts))


class Gallery:
    """Names the images whose pictures a run keeps: some spread over the split, and the worst, the median and the best.

    How bad an image is, is one number, larger for worse; infinite where the model failed, NaN where nothing was
    scored, and then the image is neither worst nor best.

    The worst and the best of all images are among the worst and the best of every part of them, so that processes
    that each see a part, and runs that go on after an interruption, keep together what one process would have kept.
    The median is known at the end only; it is sought among images that were fixed at the start.

    Args:
        total: number of images of the run.
        count: how many images are spread over the split; 0 keeps no picture of any image.
    """

    def __init__(self, *, total: int, count: int) -> None:
        self._spread = spread(total, count) if count else frozenset()
        self._candidates = spread(total, _CANDIDATES) if count else frozenset()
        self._extremes = (_WORST, _BEST) if count else (0, 0)
        self._seen: dict[int, float] = {}

    def add(self, badness: Mapping[int, float]) -> tuple[frozenset[int], frozenset[int]]:
        """Judge further images.

        Returns:
            Those of them to keep for now, and those that were kept until now and need not be any longer.
        """
        before = self._extreme(self._seen)
        judged = {**self._seen, **badness}
        extreme = self._extreme(judged)
        fixed = self._spread | self._candidates
        # forgets what can no longer be an extreme
        self._seen = {index: judged[index] for index in extreme}
        return frozenset(badness) & (extreme | fixed), before - extreme - fixed

    def final(self, badness: Mapping[int, float], kept: Collection[int]) -> frozenset[int]:
        """Choose among the kept images when every image of the run is known."""
        median = _nearest_to_median(badness, self._candidates & frozenset(kept))
        return (self._spread | self._extreme(badness) | median) & frozenset(kept)

    def _extreme(self, badness: Mapping[int, float]) -> frozenset[int]:
        order = ranked(badness)
        worst, best = self._extremes
        return frozenset([*order[:best], *order[max(len(order) - worst, 0) :]])


def ranked(badness: Mapping[int, float]) -> list[int]:
    """Return the images that have a value, best first, in order of the split where they are equally bad."""
    return sorted((index for index, bad in badness.items() if not math.isnan(bad)), key=lambda i: (badness[i], i))


def _nearest_to_median(badness: Mapping[int, float], among: Iterable[int]) -> frozenset[int]:
    order = ranked(badness)
    place = {index: rank for rank, index in enumerate(order)}
    known = [index for index in sorted(among) if index in place]
    return frozenset([min(known, key=lambda index: abs(place[index] - (len(order) - 1) / 2))] if known else [])
