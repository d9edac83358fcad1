"""DIML RGB-D: outdoor scenes by stereo and indoor rooms by a Kinect v2, as ZoeDepth reads them."""

import re
from collections.abc import Mapping, Sequence

from src.data.sets.pictures import Pictures


class DIMLOutdoor(Pictures):
    """DIML/CVL RGB-D, outdoor test images with depth from a stereo camera.

    Source: the outdoor test part of the DIML/CVL RGB-D data set (dimlrgbd.github.io), unpacked.
    Layout: `<scene>/outleft/<name>.png` and `<scene>/depthmap/<name>.png`, or the two folders at the root.
    Licence: not looked up; the download page decides.
    Counts: 500 images by ZoeDepth's paper. Clusters: the scenes.
    Units: 16-bit PNG, millimetres.
    Camera: none in these files.
    Crop: Garg's, as fractions of each image. Range: 2 to 80 m, since stereo is unreliable when near (ZoeDepth).
    Citation: J. Cho, D. Min, Y. Kim, K. Sohn, "DIML/CVL RGB-D Dataset: 2M RGB-D Images of Natural Indoor and Outdoor
    Scenes", arXiv 2110.11590.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "diml"
    origin = "the outdoor test images of DIML/CVL RGB-D, folders outleft and depthmap (dimlrgbd.github.io)"
    units = 1000

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair left image and depth by name, in alphabetical order."""
        found = (re.fullmatch(r"((?:.+/)?)outleft/([^/]+)\.png", name) for name in self.names)
        return {f"{m[1]}{m[2]}": (m[0], f"{m[1]}depthmap/{m[2]}.png") for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The left image of a depth map."""
        match = re.fullmatch(r"((?:.+/)?)depthmap/([^/]+\.png)", name)
        return f"{match[1]}outleft/{match[2]}" if match else None


class DIMLIndoor(Pictures):
    """DIML/CVL RGB-D, indoor test images of a Kinect v2, with depth whose holes are filled.

    Source: the indoor test part of the DIML/CVL RGB-D data set (dimlrgbd.github.io), unpacked.
    Licence: not looked up; the download page decides.
    Citation: as of `DIMLOutdoor`.
    Layout: `LR/<room>/color/<name>_c.png` and `LR/<room>/depth_filled/<name>_depth_filled.png`, with or without `LR/`.
    Counts: not published for ZoeDepth's reading. Clusters: the rooms.
    Units: 16-bit PNG, millimetres; partly invented, since holes are filled.
    Camera: none in these files.
    Crop: the window 45:471, 41:601 that is meant for NYU. Range: up to 10 m.

    Args:
        root: folder, .tar or .zip.
        count: images in the split, or None.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "diml"
    origin = "the indoor test images of DIML/CVL RGB-D, folders color and depth_filled (dimlrgbd.github.io)"
    units = 1000

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair colour and depth by name, in alphabetical order."""
        found = (re.fullmatch(r"((?:LR/)?)((?:.+/)?)color/([^/]+)_c\.png", name) for name in self.names)
        return {f"{m[2]}{m[3]}": (m[0], f"{m[1]}{m[2]}depth_filled/{m[3]}_depth_filled.png") for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"((?:.+/)?)depth_filled/([^/]+)_depth_filled\.png", name)
        return f"{match[1]}color/{match[2]}_c.png" if match else None
