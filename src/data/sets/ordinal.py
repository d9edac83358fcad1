"""Sets that say which of two points is nearer: DA-2K and Depth in the Wild."""

import functools
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Int64

from src.core.errors import DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, image_shape, read_image

_ANY_DEPTH = (0.0, 1e6)  # finite, since records (JSON) cannot hold infinity
_FARTHER, _NEARER = 1, -1


class DA2K(PublishedDataset):
    """DA-2K: high-resolution images of eight kinds of scene, with pairs of points that people and models disagreed on.

    Source: DA-2K.zip (huggingface.co/datasets/depth-anything/DA-2K), as downloaded or unpacked.
    Layout: `annotations.json` (image path -> pairs of points as (row, column), and which is closer) and
    `images/<scene>/<name>`, at the root or below DA-2K/.
    Licence: Apache-2.0, by its card.
    Counts: about 1000 images and 2000 pairs; the exact numbers are not published. Slices: the kinds of scene.
    Scoring: a pair counts as right if the closer point is predicted closer; a tie is wrong; the mean runs over pairs.
    Citation: L. Yang et al., "Depth Anything V2", NeurIPS 2024.

    Args:
        root: folder, .tar or .zip.
        count: images in the set, or None to take as many as are annotated.
    """

    family = "da2k"
    origin = "DA-2K.zip (huggingface.co/datasets/depth-anything/DA-2K)"

    def __init__(self, *, root: str | Path, count: int | None) -> None:
        super().__init__(root=root, count=count, depth_range=_ANY_DEPTH)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """The annotated images, in the order of the annotations."""
        return {
            str(PurePosixPath(name).with_suffix("")).removeprefix("images/"): (f"{self._top}{name}",)
            for name in self.annotations
        }

    def read(self, i: int) -> Frame:
        """Decode image and pairs number `i`."""
        (name,) = self.files[self.sample_ids[i]]
        try:
            pairs = [
                [*pair["point1"], *pair["point2"], {"point1": _NEARER, "point2": _FARTHER}[pair["closer_point"]]]
                for pair in self.annotations[name.removeprefix(self._top)]
            ]
            rows = np.array(pairs, np.int64).reshape(-1, 5)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"{self.tree.path / name}: expected pairs with point1, point2 and closer_point: {error!r}"
            raise DataError(msg) from error
        return Frame(
            image=read_image(self.tree, name),
            depth=None,
            point_pairs=rows,
            slice=PurePosixPath(self.sample_ids[i]).parts[0],
        )

    def shared_files(self) -> Sequence[str]:
        """The annotations."""
        return (f"{self._top}annotations.json",)

    def shape_hint(self, i: int) -> tuple[int, int] | None:
        """The size by the header of the image."""
        return image_shape(self.tree, self.files[self.sample_ids[i]][0])

    @functools.cached_property
    def annotations(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The pairs of each image, by its path."""
        name = f"{self._top}annotations.json"
        try:
            annotations = json.loads(self.tree.read(name))
        except ValueError as error:
            msg = f"{self.tree.path / name}: expected JSON: {error}; download it again"
            raise DataError(msg) from error
        if not isinstance(annotations, dict):
            msg = f"{self.tree.path / name}: expected image paths with their pairs, got {type(annotations).__name__}"
            raise DataError(msg)
        return annotations

    @property
    def _top(self) -> str:
        return "DA-2K/" if self.tree.exists("DA-2K/annotations.json") else ""


class DIW(PublishedDataset):
    """Depth in the Wild, test set: photographs from Flickr with one pair of points each.

    Source: DIW_test.tar.gz, unpacked or gunzipped, and DIW_test.csv of DIW_Annotations.tar.gz, in one folder
    (www-personal.umich.edu/~wfchen/depth-in-the-wild).
    Layout: `DIW_test.csv`, two lines per image: its path `./DIW_test/<id>.thumb`, and `row1,column1,row2,column2,
    relation,width,height` with coordinates from 1; `>` means that point 1 is farther.
    Licence: none stated; the photographs keep their own.
    Counts: 74,441 images, one pair each. No clusters.
    Scoring: WHDR, the share of pairs in the wrong order; a tie is wrong. That `>` means farther is inferred from the
    authors' code; a good model has a WHDR of 0.11 to 0.13.
    Citation: W. Chen, Z. Fu, D. Yang, J. Deng, "Single-Image Depth Perception in the Wild", NeurIPS 2016.

    Args:
        root: folder, .tar or .zip.
        count: images in the set.
    """

    family = "diw"
    origin = (
        "DIW_test.csv and the folder DIW_test of Depth in the Wild (www-personal.umich.edu/~wfchen/depth-in-the-wild)"
    )

    def __init__(self, *, root: str | Path, count: int) -> None:
        super().__init__(root=root, count=count, depth_range=_ANY_DEPTH)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """The annotated images, in the order of the list."""
        return {PurePosixPath(name).stem: (name,) for name in self._lines}

    def read(self, i: int) -> Frame:
        """Decode image and pair number `i`."""
        (name,) = self.files[self.sample_ids[i]]
        row, size = self._lines[name]
        image = read_image(self.tree, name)
        if image.shape[:2] != size:
            msg = f"{self.tree.path / name}: expected {size} (height, width) as the list says, got {image.shape[:2]}"
            raise DataError(msg)
        return Frame(image=image, depth=None, point_pairs=row)

    def shared_files(self) -> Sequence[str]:
        """The list."""
        return ("DIW_test.csv",)

    def shape_hint(self, i: int) -> tuple[int, int]:
        """The size by the list."""
        return self._lines[self.files[self.sample_ids[i]][0]][1]

    @functools.cached_property
    def _lines(self) -> dict[str, tuple[Int64[np.ndarray, "1 5"], tuple[int, int]]]:
        """Pair and (height, width) of each image, by its path."""
        words = self.tree.read("DIW_test.csv").decode(errors="replace").split()
        return {
            name.removeprefix("./"): _parse(line, self.tree.path / "DIW_test.csv")
            for name, line in itertools.zip_longest(words[::2], words[1::2], fillvalue="")
        }


def _parse(line: str, where: Path) -> tuple[Int64[np.ndarray, "1 5"], tuple[int, int]]:
    match = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+),([<>]),(\d+),(\d+)", line)
    if match is None:
        msg = f"{where}: expected row1,column1,row2,column2,< or >,width,height after each path, got {line!r}"
        raise DataError(msg)
    points = [int(match[k]) - 1 for k in range(1, 5)]
    relation = _FARTHER if match[5] == ">" else _NEARER
    return np.array([[*points, relation]], np.int64), (int(match[7]), int(match[6]))
