"""DIODE: the same laser scanner indoors and outdoors, with a mask of what it measured well."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from src.core.errors import ConfigError, DataError
from src.data.base import Frame, as_range
from src.data.sets.crops import box_on, inside
from src.data.sets.published import PublishedDataset, read_image, read_stored

PLACES = ("indoors", "outdoor")


class DIODE(PublishedDataset):
    """DIODE (Dense Indoor/Outdoor DEpth), validation split.

    Source: val.tar.gz (diode-dataset.org), unpacked or gunzipped to val.tar, or Marigold's diode_val.tar.
    Layout: `{indoors,outdoor}/scene_SSSSS/scan_CCCCC/<id>.png`, `<id>_depth.npy`, `<id>_depth_mask.npy`, at the root or
    below val/.
    Licence: not looked up; the download page decides.
    Counts: 771 images of 768 x 1024: 325 indoors (3 scenes), 446 outdoors (3 scenes). Clusters: the scans,
    each the views from one place. Slices: indoors, outdoor.
    Units: metres, float32, with an axis of length one; 0 where not measured.
    Mask: the mask file says what was measured well; outdoors without it edges and sky are unreliable. The joint mean of
    published tables is dominated by the outdoor images. ZoeDepth and Depth Anything's metric models load the mask and
    do not use it.
    Range: published tables count what the mask says whatever its depth, and clip predictions to 0.6 to 350 m, the
    scanner's range; so the two are given apart.
    Camera: none in the files.
    Crop: none; ZoeDepth counts NYU's window 45:471, 41:601 indoors, though the images are of another size, and Garg's
    box outdoors.
    Citation: I. Vasiljevic et al., "DIODE: A Dense Indoor and Outdoor DEpth Dataset", arXiv 1908.00463.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        places: which of indoors and outdoor.
        mask: whether the mask file says what counts; without it whatever was measured does.
        crop: garg, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres that predictions are clipped to.
        valid_range: (nearest, farthest) in metres of ground truth that counts, beside the mask.
    """

    family = "diode"
    origin = (
        "DIODE's validation images and depth, val.tar.gz unpacked or gunzipped (diode-dataset.org), or Marigold's "
        "diode_val.tar (share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset)"
    )

    def __init__(
        self,
        *,
        root: str | Path,
        count: int,
        places: Sequence[str],
        mask: bool,
        crop: str | Sequence[int] | None,
        depth_range: Sequence[float],
        valid_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        self.valid_range = as_range("valid_range", valid_range)
        if not places or not set(places) <= set(PLACES):
            msg = f"places: expected one or both of {', '.join(PLACES)}, got {list(places)}"
            raise ConfigError(msg)
        self.places = tuple(places)
        self.mask = mask
        self.crop = crop

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, depth and mask, in alphabetical order."""
        pattern = rf"(?:val/)?(({'|'.join(self.places)})/scene_\d+/scan_\d+/[^/]+)\.png"
        found = [m for m in (re.fullmatch(pattern, name) for name in self.names) if m]
        stems = {m[1]: m[0].removesuffix(".png") for m in sorted(found, key=lambda match: match[1])}
        return {key: (f"{stem}.png", f"{stem}_depth.npy", f"{stem}_depth_mask.npy") for key, stem in stems.items()}

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(rf"((?:val/)?(?:{'|'.join(self.places)})/scene_\d+/scan_\d+/[^/]+)_depth\.npy", name)
        return f"{match[1]}.png" if match else None

    def read(self, i: int) -> Frame:
        """Decode image, depth and mask number `i`."""
        image, depth_name, mask_name = self.files[self.sample_ids[i]]
        depth = read_stored(self.tree, depth_name)
        valid = self._mask(mask_name, depth.shape) if self.mask else np.ones(depth.shape, bool)
        box = box_on(self.crop, (depth.shape[0], depth.shape[1]))
        place, scene, scan, _ = self.sample_ids[i].split("/")
        return Frame(
            image=read_image(self.tree, image),
            depth=depth,
            valid=valid if box is None else valid & inside(box, (depth.shape[0], depth.shape[1])),
            cluster=f"{scene}/{scan}",
            slice=place,
        )

    def _mask(self, mask_name: str, size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
        mask = read_stored(self.tree, mask_name)
        if mask.shape != size or not ((mask == 0) | (mask == 1)).all():
            msg = (
                f"{self.tree.path / mask_name}: expected a mask of zeros and ones of {size}, got {mask.shape} "
                f"with values {mask.min()}..{mask.max()}; download it again"
            )
            raise DataError(msg)
        return np.asarray(mask == 1)
