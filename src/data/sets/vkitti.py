"""Virtual KITTI 2: five street scenes rendered under ten conditions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.crops import KB_SIZE, box_on, cut, inside, kb_box, shift
from src.data.sets.kitti import View
from src.data.sets.published import per_metre, read_image, read_stored
from src.data.sets.two_roots import TwoRoots
from src.data.storage.archive import Tree

SIZE = (375, 1242)
"""Height and width of all images."""
FOCAL_LENGTH = 725.0087
"""Pixels; the principal point is the middle of the image (620.5, 187 with pixel centres at integers)."""

_FRAME = r"(?:(?:vkitti_2\.0\.3_)?{kind}/)?(Scene\d\d/[^/]+)/frames/{kind}/Camera_0/{kind}_(\d{{5}})\.{suffix}"


class VirtualKITTI(TwoRoots):
    """Virtual KITTI 2.0.3, left camera: rendered copies of five KITTI recordings in ten variations each.

    Source: vkitti_2.0.3_rgb.tar and vkitti_2.0.3_depth.tar (europe.naverlabs.com, Proxy Virtual Worlds VKITTI 2), as
    downloaded, or unpacked into one folder or into rgb/ and depth/.
    Layout: `SceneNN/<variation>/frames/rgb/Camera_0/rgb_NNNNN.jpg` and `.../frames/depth/Camera_0/depth_NNNNN.png`.
    Licence: that of version 1 is CC BY-NC-SA 3.0, by its README; that of version 2 was not looked up.
    Counts: 2126 frames in 10 variations, 21,260 images of 375 x 1242. ZoeDepth's test set is the last 8 % of each scene
    after a shuffle without a seed, 1701 images, which nobody can draw again: a list must come with the numbers.
    Clusters: the five scenes, since the variations show the same places. Slices: the variations (clone, fog, rain ...).
    Units: 16-bit PNG, centimetres; 655.35 m is the sky.
    Camera: 725.0087 pixels, moved by half a pixel (pixel centres at integers) and by the view.
    View and crop: full or cut to 352 x 1216 as KITTI; Garg's box of that (ZoeDepth). Range: up to 80 m.
    Citation: Y. Cabon, N. Murray, M. Humenberger, "Virtual KITTI 2", arXiv 2001.10773.

    Args:
        root: folder or .tar with the images.
        depth_root: folder or .tar with the depth maps; the same if they lie together.
        count: images in the split.
        listing: a text file with one image of the split per line, as ZoeDepth's loader writes it (test.txt), or None
            for all. Of a line only the path from SceneNN on is looked at.
        view: full or kb.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None, of the view.
        depth_range: (nearest, farthest) in metres.
    """

    family = "vkitti2"
    origin = "Virtual KITTI 2.0.3's images, vkitti_2.0.3_rgb.tar (europe.naverlabs.com)"
    depth_origin = "Virtual KITTI 2.0.3's depth, vkitti_2.0.3_depth.tar (europe.naverlabs.com)"

    def __init__(
        self,
        *,
        root: str | Path,
        depth_root: str | Path,
        count: int | None,
        listing: str | Path | None,
        view: str,
        crop: str | Sequence[int] | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, depth_root=depth_root, count=count, depth_range=depth_range)
        self.listing = None if listing is None else Path(listing).expanduser()
        self.view = View(view)
        if self.view not in (View.FULL, View.KB):
            msg = f"view: expected full or kb, got {view!r}"
            raise ConfigError(msg)
        box_on(crop, SIZE)
        self.crop = crop

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image and depth of each frame, in alphabetical order or that of the list."""
        images, depths = self._frames(self.tree, "rgb", "jpg"), self._frames(self.depth_tree, "depth", "png")
        names = sorted({*images, *depths}) if self.listing is None else self._listed(self.listing)
        return {
            name: (
                images.get(name, f"{name.replace(':', '/frames/rgb/Camera_0/rgb_')}.jpg"),
                depths.get(name, f"{name.replace(':', '/frames/depth/Camera_0/depth_')}.png"),
            )
            for name in names
        }

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i` and cut them to the view."""
        image_name, depth_name = self.files[self.sample_ids[i]]
        image = read_image(self.tree, image_name)
        depth = per_metre(read_stored(self.depth_tree, depth_name), 100)
        if image.shape[:2] != SIZE or depth.shape != SIZE:
            msg = (
                f"{self.tree.path / image_name}: expected image and depth of {SIZE} (height, width), got "
                f"{image.shape[:2]} and {depth.shape}; download them again"
            )
            raise DataError(msg)
        h, w = SIZE
        intrinsics = np.array([[FOCAL_LENGTH, 0, w / 2], [0, FOCAL_LENGTH, h / 2], [0, 0, 1]], np.float32)
        if self.view is View.KB:
            box = kb_box(SIZE)
            image, depth, intrinsics = cut(image, box), cut(depth, box), shift(intrinsics, box)
        size = KB_SIZE if self.view is View.KB else SIZE
        crop = box_on(self.crop, size)
        scene, variation = self.sample_ids[i].partition(":")[0].split("/")
        return Frame(
            image=image,
            depth=depth,
            valid=None if crop is None else inside(crop, size),
            intrinsics=intrinsics,
            cluster=scene,
            slice=variation,
        )

    def _frames(self, tree: Tree, kind: str, suffix: str) -> dict[str, str]:
        """The files of one kind, by scene, variation and number."""
        pattern = re.compile(_FRAME.format(kind=kind, suffix=suffix))
        return {f"{m[1]}:{m[2]}": m[0] for m in map(pattern.fullmatch, tree.names()) if m}

    def _listed(self, listing: Path) -> list[str]:
        try:
            lines = listing.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            msg = (
                f"{listing.absolute()}: expected the list of the images that count, one path per line: {error}. "
                "ZoeDepth draws its own without a seed, so take the list that belongs to the numbers to compare with"
            )
            raise DataError(msg) from error
        found = [re.search(r"(Scene\d\d/[^/]+)/frames/rgb/Camera_0/rgb_(\d{5})\.jpg", line) for line in lines]
        wrong = [line for line, match in zip(lines, found, strict=True) if line.strip() and not match]
        if wrong:
            msg = f"{listing}: expected paths such as Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg, got {wrong[0]!r}"
            raise DataError(msg)
        return [f"{m[1]}:{m[2]}" for m in found if m]
