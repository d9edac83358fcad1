"""iBims-1 from its PNG files, as ZoeDepth reads it."""

from collections.abc import Mapping, Sequence

import numpy as np

from src.core.errors import DataError
from src.data.base import Frame
from src.data.sets.crops import box_on, inside
from src.data.sets.pictures import Pictures
from src.data.sets.published import read_image, read_stored
from src.data.storage.decode import read_rgb

_LIST = "imagelist.txt"
_FARTHEST, _STEPS = 50, 65535  # metres at the largest stored number
_MASKS = ("mask_invalid", "mask_transp")


class IBimsPNG(Pictures):
    """iBims-1, core set, from ibims1_core_raw.zip: depth rounded to 16 bits, no planes and edges.

    Source: ibims1_core_raw.zip (mediatum.ub.tum.de/1455541), as downloaded or unpacked.
    Layout: `imagelist.txt`, and `rgb`, `depth`, `mask_invalid`, `mask_transp`, each with `<name>.png`, at the root or
    below ibims1_core_raw/.
    Licence: not looked up; the download page decides.
    Slices and citation: as of `src.data.sets.ibims.IBims`.
    Counts: 100 images of 480 x 640.
    Units: 16-bit PNG, 50 m / 65535, 0 where not measured. Pixels that a mask marks with 0 do not count.
    Camera: not read, though the archive has it per image.
    Crop: NYU's window 45:471, 41:601 (ZoeDepth; nobody else crops). Range: up to 10 m (ZoeDepth).

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "ibims"
    origin = "iBims-1's ibims1_core_raw.zip (mediatum.ub.tum.de/1455541)"
    units = 1

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """The files of each listed name, in the order of the list."""
        top = "ibims1_core_raw/" if self.tree.exists(f"ibims1_core_raw/{_LIST}") else ""
        listed = self.tree.read(f"{top}{_LIST}").decode(errors="replace").split()
        return {name: [f"{top}{kind}/{name}.png" for kind in ("rgb", "depth", *_MASKS)] for name in listed}

    def cluster_of(self, i: int) -> str:
        """None: which images show the same room the files do not tell."""
        return ""

    def slice_of(self, i: int) -> str:
        """The kind of room, which the name begins with."""
        return self.sample_ids[i].rstrip("0123456789").rstrip("_")

    def read(self, i: int) -> Frame:
        """Decode image, depth and masks number `i`."""
        image, depth_name, *masks = self.files[self.sample_ids[i]]
        stored = read_stored(self.tree, depth_name)
        size = (stored.shape[0], stored.shape[1])
        box = box_on(self.crop, size)
        valid = np.ones(size, bool) if box is None else inside(box, size)
        for name in masks:
            mask = read_rgb(self.tree.path / name, content=self.tree.read(name), as_stored=True)
            if mask.shape[:2] != size:
                msg = (
                    f"{self.tree.path / name}: expected a mask of {size} (height, width), got {mask.shape[:2]}; "
                    "download it again"
                )
                raise DataError(msg)
            valid &= mask[..., 0] > 0
        return Frame(
            image=read_image(self.tree, image),
            depth=(stored.astype(np.float64) * _FARTHEST / _STEPS).astype(np.float32),
            valid=valid,
            slice=self.slice_of(i),
        )
