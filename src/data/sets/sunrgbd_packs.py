"""SUN RGB-D as two papers read packs that others made; their depths are not those of the official files."""

import re
from collections.abc import Mapping, Sequence

from src.data.sets.pictures import Pictures


class SUNRGBDZoe(Pictures):
    """SUN RGB-D test images as ZoeDepth reads them: a pack of unknown origin, taken as millimetres.

    Source: not public; ZoeDepth's loader shows the layout only. For the official files see
    `src.data.sets.sunrgbd.SUNRGBD`.
    Layout: `rgb/rgb/<name>.jpg` and `gt/gt/<name>.png`.
    Licence: none stated by the site of SUN RGB-D.
    Citation: as of `src.data.sets.sunrgbd.SUNRGBD`.
    Counts: 5050 images by ZoeDepth's paper. No clusters.
    Units: 16-bit PNG divided by 1000; whether its bits were rotated back is unknown.
    Camera: none in these files.
    Crop: the window 45:471, 41:601 that is meant for NYU, cut where an image ends. Range: up to 8 m.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "sunrgbd"
    origin = "a pack of SUN RGB-D's test images with the folders rgb/rgb and gt/gt, as ZoeDepth's loader has it"
    units = 1000

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair image and depth by name, in alphabetical order."""
        found = (re.fullmatch(r"rgb/rgb/(.+)\.jpg", name) for name in self.names)
        return {m[1]: (m[0], f"gt/gt/{m[1]}.png") for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"gt/gt/(.+)\.png", name)
        return f"rgb/rgb/{match[1]}.jpg" if match else None

    def cluster_of(self, i: int) -> str:
        """None: the names do not tell."""
        return ""


class SUNRGBDResized(Pictures):
    """SUN RGB-D test images resized to 530 x 730, as Depth Anything's metric models are scored.

    Source: SUNRGBD-test_images.tgz and its depth maps (github.com/ankurhanda/sunrgbd-meta-data), unpacked and renamed
    as Depth Anything's loader expects; that the paper used this pack is inferred from its names and divisor.
    Layout: `rgb/img-NNNNNN.jpg` and `depth/<N>.png`, N without leading zeros.
    Licence: none stated by the site of SUN RGB-D.
    Citation: as of `src.data.sets.sunrgbd.SUNRGBD`.
    Counts: 5050 images. No clusters.
    Units: 16-bit PNG divided by 10,000. The stored numbers are eight times the millimetres, so these depths are 1.25
    times too small, and images are resized unevenly: numbers on this variant compare with no other.
    Camera: none in these files.
    Crop: the window 45:471, 41:601 that is meant for NYU. Range: up to 8 m.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "sunrgbd"
    origin = (
        "the resized test images of SUN RGB-D (github.com/ankurhanda/sunrgbd-meta-data), as rgb/img-NNNNNN.jpg and "
        "depth/<N>.png"
    )
    units = 10_000

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair image and depth by number, in order."""
        found = (re.fullmatch(r"rgb/(img-(\d{6}))\.jpg", name) for name in self.names)
        return {m[1]: (m[0], f"depth/{int(m[2])}.png") for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"depth/(\d+)\.png", name)
        return f"rgb/img-{int(match[1]):06d}.jpg" if match else None
