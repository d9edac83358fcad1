"""NYU Depth v2 as others have prepared it: Marigold's bundle and the BTS layout."""

import abc
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.data.base import Frame
from src.data.sets import frames
from src.data.sets.crops import as_box, inside
from src.data.sets.nyu import SIZE, intrinsics
from src.data.sets.published import PublishedDataset, per_metre, read_image, read_stored


class _NYUPictures(PublishedDataset):
    """Pairs of colour image and 16-bit depth in millimetres."""

    family = "nyu"

    def __init__(
        self, *, root: str | Path, count: int, crop: Sequence[int] | None, depth_range: Sequence[float]
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        self.crop = as_box(crop, SIZE)

    @abc.abstractmethod
    def number(self, i: int) -> int:
        """The official number of sample number `i`, counted from 1."""

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i`."""
        image, depth = self.files[self.sample_ids[i]]
        return Frame(
            image=read_image(self.tree, image),
            depth=per_metre(read_stored(self.tree, depth), 1000),
            valid=None if self.crop is None else inside(self.crop, SIZE),
            intrinsics=intrinsics(),
            cluster=frames.nyu_scenes().get(self.number(i), ""),
            slice=re.sub(r"_\d+[a-z]?$", "", Path(image).parent.name),
        )


class NYUMarigold(_NYUPictures):
    """The 654 test images of NYU Depth v2 as Marigold distributes them: nyu_labeled_extracted.tar, or unpacked.

    Source: nyuv2/nyu_labeled_extracted.tar (share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset).
    Layout: `test/<scene>/rgb_NNNN.png`, `depth_NNNN.png` (as measured, used here) and `filled_NNNN.png` (filled in, not
    used), NNNN the official number. The archive may hold training images too, which are not looked at.
    Licence: none stated by the site of NYU Depth v2.
    Camera and citation: see `src.data.sets.nyu.NYU`; preparation by B. Ke et al., "Repurposing Diffusion-Based Image
    Generators for Monocular Depth Estimation", CVPR 2024.
    Counts: 654 images of 480 x 640. Clusters and slices: scenes and their types, as of
    `src.data.sets.nyu.NYU`.
    Units: 16-bit PNG, millimetres; depths that the .mat holds as float32 are thus rounded.
    Crop: Eigen's. Range: 1e-3 to 10 m.

    Args:
        root: folder or .tar.
        count: images in the split.
        crop: (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    origin = (
        "Marigold's preparation of NYU Depth v2, nyuv2/nyu_labeled_extracted.tar "
        "(share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset)"
    )

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair colour and depth by the official number."""
        images = {
            match[2]: match[0]
            for match in (re.fullmatch(r"test/(.+)/rgb_(\d{4})\.png", name) for name in self.names)
            if match
        }
        listed = [f"{number:04d}" for number in frames.nyu_test() if f"{number:04d}" in images]
        return {number: (images[number], images[number].replace("/rgb_", "/depth_")) for number in listed}

    def number(self, i: int) -> int:
        """What the id says."""
        return int(self.sample_ids[i])

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"(test/.+)/depth_(\d{4}\.png)", name)
        return f"{match[1]}/rgb_{match[2]}" if match else None


class NYUBTS(_NYUPictures):
    """The 654 test images of NYU Depth v2 as BTS, AdaBins and ZoeDepth read them: official_splits/test.

    Source: written by BTS's extract_official_train_test_set_from_mat.py from the official files, and passed around as
    official_splits.zip. Predictions differ from those on the official images: the colour images are JPEGs whose border
    (all but rows 7:474 and columns 7:632) is black.
    Layout: `<scene type>/rgb_NNNNN.jpg` and `sync_depth_NNNNN.png`, NNNNN the official number less one.
    Licence: none stated by the site of NYU Depth v2.
    Camera and citation: see `src.data.sets.nyu.NYU`; preparation by J. H. Lee et al., "From Big to Small: Multi-
    Scale Local Planar Guidance for Monocular Depth Estimation", arXiv 1907.10326.
    Counts: 654 images of 480 x 640. Clusters and slices: scenes and their types, as of
    `src.data.sets.nyu.NYU`.
    Units: 16-bit PNG, millimetres rounded down, from the measured depth (`rawDepths`).
    Crop: Eigen's. Range: 1e-3 to 10 m.

    Args:
        root: folder or archive that holds the folders of scene types.
        count: images in the split.
        crop: (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    origin = (
        "the test folder of BTS's official_splits of NYU Depth v2 (github.com/cleinc/bts, or written by its script)"
    )

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair colour and depth by number, in alphabetical order."""
        found = (re.fullmatch(r"([^/]+/)rgb_(\d{5})\.jpg", name) for name in self.names)
        return {f"{m[1]}{m[2]}": (m[0], f"{m[1]}sync_depth_{m[2]}.png") for m in found if m}

    def number(self, i: int) -> int:
        """One more than the id says."""
        return int(self.sample_ids[i].rpartition("/")[2]) + 1

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"([^/]+)/sync_depth_(\d{5})\.png", name)
        return f"{match[1]}/rgb_{match[2]}.jpg" if match else None
