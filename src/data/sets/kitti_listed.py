"""KITTI frames of a list, of the left and the right camera."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.core.errors import DataError
from src.data.sets.kitti import KITTI, LEFT, RIGHT, Split

_LINE = re.compile(r"\d{4}_\d\d_\d\d/(\d{4}_\d\d_\d\d_drive_\d{4}_sync) (\d+) ([lr])")


class KITTIListed(KITTI):
    """KITTI frames with annotated depth that a list names, such as the 700 of the eigen_zhou split.

    Source: the recordings and depth of `src.data.sets.kitti.KITTI`, with the right camera's image_03 too, and a list:
    of eigen_zhou api/data/splits_kitti/eigen_zhou/test_files.txt (github.com/jspenmar/monodepth_benchmark).
    Layout: of the list, a line `<date>/<drive>_sync <frame> l` or `r`, for the left or right camera, per image.
    Licence: CC BY-NC-SA 3.0, by the site.
    Counts: eigen_zhou 700 images, scored up to 100 m without a crop (J. Spencer et al., "Deconstructing Self-
    Supervised Monocular Reconstruction", TMLR 2022). Clusters: the recordings.
    Units, camera, view, crop and citation: as of `src.data.sets.kitti.KITTI`.

    Args:
        root: folder or archive with the dates of the raw recordings.
        depth_root: folder or archive with the annotated depth maps.
        listing: the list.
        count: images in it.
        view: full, kb or metric3d.
        crop: garg, eigen or None, of the view.
        depth_range: (nearest, farthest) in metres.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        depth_root: str | Path,
        listing: str | Path,
        count: int,
        view: str,
        crop: str | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(
            root=root,
            depth_root=depth_root,
            count=count,
            split=Split.EIGEN,  # whose frames the list takes the place of
            view=view,
            crop=crop,
            depth_range=depth_range,
        )
        self.listing = Path(listing).expanduser()

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image and depth of each frame of the list, by recording, camera and frame."""
        try:
            lines = self.listing.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = (
                f"{self.listing.absolute()}: expected the list of the images that count, one per line: {error}. That "
                "of eigen_zhou comes by: python -m src.data fetch data=kitti_eigen_zhou"
            )
            raise DataError(msg) from error
        pairs = {}
        for number, line in enumerate(lines, start=1):
            match = _LINE.fullmatch(line.strip())
            if match is None:
                msg = f"{self.listing}: line {number}: expected <date>/<drive>_sync <frame> l or r, got {line!r}"
                raise DataError(msg)
            drive, frame, camera = match[1], int(match[2]), LEFT if match[3] == "l" else RIGHT
            pairs[f"{drive}/{camera}/{frame:010d}"] = self.pair(drive, frame, camera)
        return pairs
