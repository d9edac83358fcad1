"""The lists of frames that define published splits and that no download contains, or that check what one contains."""

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_LISTS = Path(__file__).parent / "lists"


def nyu_test() -> tuple[int, ...]:
    """The official test images of NYU Depth v2, counted from 1.

    >>> len(nyu_test()), nyu_test()[:3]
    (654, (1, 2, 9))
    """
    return tuple(sorted(nyu_scenes()))


@functools.cache
def nyu_scenes() -> Mapping[int, str]:
    """The scene of each official test image of NYU Depth v2; the parts of one scene (0001a, 0001b) are one.

    >>> len(set(nyu_scenes().values())), nyu_scenes()[1]
    (215, 'kitchen_0004')
    """
    return MappingProxyType({int(word): row[0] for row in _rows("nyu_test.txt") for word in row[1:]})


def kitti_eigen(*, annotated: bool) -> tuple[tuple[str, int], ...]:
    """The Eigen test frames of KITTI as (recording, frame).

    Args:
        annotated: only those that have ground truth in the annotated depth maps.

    >>> len(kitti_eigen(annotated=False)), len(kitti_eigen(annotated=True)), kitti_eigen(annotated=True)[0]
    (697, 652, ('2011_09_26_drive_0002_sync', 6))
    """
    listed = [(row[0], word) for row in _rows("kitti_eigen.txt") for word in row[1:]]
    kept = [(drive, word) for drive, word in listed if not (annotated and word.endswith("-"))]
    return tuple((drive, int(word.rstrip("-"))) for drive, word in kept)


def scannet_800() -> tuple[tuple[str, int], ...]:
    """The ScanNet validation frames of Marigold as (scan, frame).

    >>> len(scannet_800()), scannet_800()[1]
    (800, ('scene0011_00', 1200))
    """
    return tuple((row[0], int(word)) for row in _rows("scannet_800.txt") for word in row[1:])


def _rows(name: str) -> list[list[str]]:
    lines = (_LISTS / name).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if not line.startswith("#")]
