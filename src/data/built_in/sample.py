"""The built-in image: one real photograph with real metric depth, shipped with the package."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src.core.maps import read_map
from src.data.base import DepthDataset, Frame
from src.data.storage.decode import read_rgb

FOLDER = Path(__file__).parent / "motorcycle"
FOCAL_LENGTH = 994.978  # pixels of the shipped size, like all that follow
PRINCIPAL_POINT = (311.193, 254.877)
PRINCIPAL_POINT_OFFSET = 31.086  # the cameras' principal points differ by so much (Middlebury's "doffs")
BASELINE = 0.193001  # metres
PIXEL_CENTRE = 0.5 / 4


class BuiltInSample(DepthDataset):
    """Middlebury 2014 "Motorcycle", left view: a garage with a motorcycle in front of a shelf, for trying things out.

    Source: vision.middlebury.edu/stereo/data/scenes2014, quarter size as distributed by scikit-image 0.17.
    Licence: BSD-3-Clause as part of scikit-image; attribution in NOTICE.
    Counts: 1 image, 500 x 741 pixels; 343,274 of them (92.65 %) have ground truth, between 2.11 m and 5.02 m.
    Units: the file holds disparities d in pixels, +inf where unknown; z = f b / (d + doffs), metres.
    Camera: Middlebury calibrates the full size with pixel centres at integers and the quarter size averages blocks of
    4 x 4 pixels, so with centres at integer + 0.5 the principal point is (cx + 0.5) / 4 of the full-size values, which
    is 0.125 more than the quarter-size values published with the files.
    Crop: none. One image says nothing about a model's rank: its spread is unknown.
    Citation: D. Scharstein, H. Hirschmueller, Y. Kitajima, G. Krathwohl, N. Nesic, X. Wang, P. Westling,
    "High-resolution stereo datasets with subpixel-accurate ground truth", GCPR 2014.

    Args:
        depth_range: (nearest, farthest) in metres.
    """

    family = "middlebury"

    def index(self) -> Sequence[str]:
        """The one image."""
        return ("motorcycle",)

    def read(self, i: int) -> Frame:
        """Decode the image and turn its disparities into metres."""
        disparity = read_map(FOLDER / "motorcycle_disparity.npz").astype(np.float64)
        depth = FOCAL_LENGTH * BASELINE / (disparity + PRINCIPAL_POINT_OFFSET)  # 0 where the disparity is infinite
        cx, cy = (coordinate + PIXEL_CENTRE for coordinate in PRINCIPAL_POINT)
        return Frame(
            image=read_rgb(FOLDER / "motorcycle_left.png"),
            depth=depth.astype(np.float32),
            intrinsics=np.array([[FOCAL_LENGTH, 0, cx], [0, FOCAL_LENGTH, cy], [0, 0, 1]], np.float32),
            slice="indoor",
        )
