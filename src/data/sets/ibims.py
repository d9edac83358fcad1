"""iBims-1: rooms measured by laser scanner, with annotated planes and depth edges."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from src.core.errors import DataError
from src.data.base import Frame, as_range
from src.data.sets.published import PublishedDataset, read_matlab

_KINDS = ("wall", "table", "floor")
_NORMAL = slice(4, 7)  # of a row of plane parameters


class IBims(PublishedDataset):
    """iBims-1 (independent Benchmark images and matched scans), core set.

    Source: ibims1_core_mat.zip (mediatum.ub.tum.de/1455541), as downloaded or unpacked.
    Layout: one MATLAB v5 file per image, with rgb, depth, edges, calib, mask_invalid, mask_transp and, for wall, table
    and floor, a mask of plane numbers and one row of parameters per plane.
    Licence: not looked up; the download page decides.
    Counts: 100 images of 480 x 640. Slices: the kind of room, which the names begin with. No
    clusters: which images show the same room the files do not tell.
    Units: metres; 0 where not measured. Pixels that mask_invalid or mask_transp (glass) mark with 0 do not count.
    Camera: calib is the transposed camera matrix; its principal point is moved by half a pixel, since the official
    evaluator counts pixel centres from 1.
    Planes: labels run through walls, then tables, then floors; where two masks meet, the later counts. The evaluator's
    axes (right, forward, up) become OpenCV's (right, down, forward).
    Crop: none. Range: none for ground truth; predictions that are clipped are clipped to its 50 m.
    Citation: T. Koch, L. Liebel, F. Fraundorfer, M. Koerner, "Evaluation of CNN-based Single-Image Depth Estimation
    Methods", ECCV Workshops 2018.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        depth_range: (nearest, farthest) in metres that predictions are clipped to.
        valid_range: (nearest, farthest) in metres of ground truth that counts, beside the masks.
    """

    family = "ibims"
    origin = "iBims-1's ibims1_core_mat.zip (mediatum.ub.tum.de/1455541)"

    def __init__(
        self, *, root: str | Path, count: int, depth_range: Sequence[float], valid_range: Sequence[float]
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        self.valid_range = as_range("valid_range", valid_range)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """One file per image, in alphabetical order."""
        found = (re.fullmatch(r"(?:ibims1_core_mat/)?([^/]+)\.mat", name) for name in self.names)
        return {m[1]: (m[0],) for m in found if m}

    def read(self, i: int) -> Frame:
        """Decode image, depth and annotations number `i`."""
        (name,) = self.files[self.sample_ids[i]]
        content = read_matlab(self.tree.read(name), self.tree.path / name)
        try:
            data = content["data"][0, 0]
            intrinsics = data["calib"].T.astype(np.float64)
            intrinsics[:2, 2] -= 0.5
            segments, normals = _planes(data)
            return Frame(
                image=np.ascontiguousarray(data["rgb"]),
                depth=data["depth"].astype(np.float32),
                valid=(data["mask_invalid"] != 0) & (data["mask_transp"] != 0),
                intrinsics=intrinsics.astype(np.float32),
                slice=re.sub(r"_\d+$", "", self.sample_ids[i]),
                edges=data["edges"] != 0,
                segments=segments,
                plane_normals=normals,
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            msg = f"{self.tree.path / name}: expected an iBims-1 image with annotations: {error}; download it again"
            raise DataError(msg) from error


def _planes(data: np.void) -> tuple[Int64[np.ndarray, "h w"], Float32[np.ndarray, "p 3"]]:
    segments = np.zeros(data["depth"].shape, np.int64)
    normals = np.zeros((0, 3))
    for kind in _KINDS:
        mask, rows = data[f"mask_{kind}"].astype(np.int64), data[f"mask_{kind}_paras"]
        if rows.size == 0:
            continue
        segments = np.where(mask > 0, mask + len(normals), segments)
        normals = np.concatenate([normals, np.atleast_2d(rows)[:, _NORMAL].astype(np.float64)])
    right, forward, up = normals.T
    return segments, np.stack([right, -up, forward], 1).astype(np.float32)
