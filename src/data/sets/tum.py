"""TUM RGB-D: people indoors as MiDaS is scored on them, and the recordings as they are downloaded."""

import bisect
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import h5py  # type: ignore[import-untyped]
import numpy as np
from jaxtyping import Float32, UInt8

from src.core.errors import DataError
from src.data.base import Frame
from src.data.sets.pictures import Pictures
from src.data.sets.published import PublishedDataset

_APART = 0.02  # seconds, as the benchmark's own associate.py has it
_CAMERAS = {  # fx, fy, cx, cy of the colour camera of each Freiburg laboratory, pixel centres at integers
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}


class TUMPeople(PublishedDataset):
    """TUM RGB-D, frames with people in the preparation of the MannequinChallenge, on which MiDaS and DPT are scored.

    Source: tum_hdf5, fetched by fetch_tum_data.sh (github.com/google/mannequinchallenge), unpacked.
    Layout: one HDF5 file per image, `<clip>_<time>.jpg.h5`, with gt/img_1 (h x w x 3, from 0 to 1) and gt/gt_depth.
    Licence: CC BY 4.0 for the recordings by the benchmark's page; that of the preparation was not looked up.
    Counts: 1815 images of 384 x 512 (test_tum_hdf5_list.txt of the same repository). Clusters: the clips.
    Units: metres, up to 1e-8 not measured; images come as floats and are rounded to the 8 bits that models expect.
    Camera: the files' own is not read.
    Crop: none. Range: up to 10 m (MiDaS).
    Citation: J. Sturm, N. Engelhard, F. Endres, W. Burgard, D. Cremers, "A Benchmark for the Evaluation of RGB-D SLAM
    Systems", IROS 2012; preparation: Z. Li et al., "Learning the Depths of Moving People by Watching Frozen People",
    CVPR 2019.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        depth_range: (nearest, farthest) in metres.
    """

    family = "tum"
    origin = "tum_hdf5 as the MannequinChallenge's fetch_tum_data.sh loads it (github.com/google/mannequinchallenge)"

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """One file per image, in alphabetical order."""
        found = (re.fullmatch(r"(?:.+/)?([^/]+?)(?:\.jpg)?\.h5", name) for name in self.names)
        return {m[1]: (m[0],) for m in found if m}

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i`."""
        (name,) = self.files[self.sample_ids[i]]
        try:
            with h5py.File(io.BytesIO(self.tree.read(name))) as file:
                image, depth = file["gt/img_1"][:], file["gt/gt_depth"][:].astype(np.float32)
            return Frame(image=_as_bytes(image), depth=depth, cluster=re.sub(r"_[^_]*$", "", self.sample_ids[i]))
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            msg = f"{self.tree.path / name}: expected an HDF5 file with gt/img_1 and gt/gt_depth: {error}"
            raise DataError(msg) from error


def _as_bytes(image: Float32[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    if image.ndim != 3 or image.shape[2] != 3 or not (np.isfinite(image) & (image >= 0) & (image <= 1)).all():
        msg = f"got an image of {image.shape} that does not run from 0 to 1"
        raise ValueError(msg)
    return np.rint(image.astype(np.float64) * 255).astype(np.uint8)


class TUMSequences(Pictures):
    """TUM RGB-D, whole recordings of a Kinect as they are downloaded: `rgbd_dataset_freiburgN_<name>.tgz`.

    Source: the recordings (cvg.cit.tum.de/data/datasets/rgbd-dataset), unpacked into one folder.
    Layout: `<recording>/rgb/<time>.png`, `<recording>/depth/<time>.png`, times in seconds.
    Licence: CC BY 4.0 by the benchmark's page.
    Counts: whatever lies there; no published split uses it as it is. An image belongs with the depth map nearest in
    time, each used once, if they are less than 0.02 s apart; other images are left out. Clusters: the recordings.
    Slices: the laboratories, each with a camera of its own.
    Units: 16-bit PNG, 1/5000 m, 0 where not measured; depth lies on the pixels of the colour image.
    Camera: the benchmark's calibration of the laboratory, moved by half a pixel; lens distortion is not taken out.
    Crop: none. Range: up to 10 m.
    Citation: J. Sturm et al., IROS 2012.

    Args:
        root: folder, .tar or .zip with the recordings.
        count: images in the split, or None.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "tum"
    origin = "TUM RGB-D's recordings, rgbd_dataset_freiburg*.tgz, unpacked (cvg.cit.tum.de/data/datasets/rgbd-dataset)"
    units = 5000

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair images and depth maps of each recording by time."""
        found = [m for m in (re.fullmatch(r"(.+)/(rgb|depth)/(\d+\.\d+)\.png", n) for n in self.names) if m]
        times: dict[tuple[str, str], list[tuple[float, str]]] = {}
        for match in found:
            times.setdefault((match[1], match[2]), []).append((float(match[3]), match[0]))
        recordings = sorted({recording for recording, _ in times})
        return {
            f"{recording}/{PurePosixPath(image).stem}": (image, depth)
            for recording in recordings
            for image, depth in match_times(times.get((recording, "rgb"), []), times.get((recording, "depth"), []))
        }

    def camera(self, i: int) -> Float32[np.ndarray, "3 3"] | None:
        """The colour camera of the laboratory."""
        laboratory = re.search(r"freiburg[123]", self.sample_ids[i])
        if laboratory is None:
            return None
        fx, fy, cx, cy = _CAMERAS[laboratory[0]]
        return np.array([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]], np.float32)

    def cluster_of(self, i: int) -> str:
        """The recording."""
        return Path(self.sample_ids[i]).parent.as_posix()

    def slice_of(self, i: int) -> str:
        """The laboratory, and so the camera."""
        laboratory = re.search(r"freiburg[123]", self.sample_ids[i])
        return laboratory[0] if laboratory else ""


def match_times(images: Sequence[tuple[float, str]], depths: Sequence[tuple[float, str]]) -> list[tuple[str, str]]:
    """Pair entries of (time, name) that are less than 0.02 s apart, the nearest first, each used once.

    >>> match_times([(1.00, "a"), (1.03, "b")], [(1.015, "x"), (1.031, "y"), (9.0, "z")])
    [('a', 'x'), ('b', 'y')]
    """
    ordered = sorted(depths)
    near = []
    for time, image in images:
        first = bisect.bisect_left(ordered, (time - _APART, ""))
        last = bisect.bisect_right(ordered, (time + _APART, "\uffff"))
        near += [(abs(time - other), time, image, depth) for other, depth in ordered[first:last]]
    pairs: dict[str, tuple[float, str]] = {}
    taken = set()
    for apart, time, image, depth in sorted(near):
        if apart < _APART and image not in pairs and depth not in taken:
            pairs[image] = (time, depth)
            taken.add(depth)
    return [(image, depth) for image, (_, depth) in sorted(pairs.items(), key=lambda pair: (pair[1][0], pair[0]))]
