"""ETH3D: high-resolution photographs with laser-scanned depth."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32

from src.core.errors import DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, read_image
from src.data.storage.archive import Tree

SIZE = (4032, 6048)
"""Height and width of all images and depth maps."""
_PLACES = {
    **dict.fromkeys(("delivery_area", "kicker", "office", "pipes", "relief", "relief_2", "terrains"), "indoor"),
    **dict.fromkeys(("courtyard", "electro", "facade", "meadow", "playground", "terrace"), "outdoor"),
}


class ETH3D(PublishedDataset):
    """ETH3D high-resolution multi-view, training part: 13 scenes indoors and outdoors, DSLR and laser scanner.

    Source: multi_view_training_dslr_jpg.7z and multi_view_training_dslr_depth.7z (eth3d.net/datasets), unpacked into
    one folder, or Marigold's eth3d.tar.
    Layout: as unpacked, `<scene>/images/dslr_images/DSC_NNNN.JPG` and `<scene>/ground_truth_depth/dslr_images/
    DSC_NNNN.JPG`; in the bundle the same below `rgb/` and `depth/<scene>_dslr_depth/`. Images without depth are not
    looked at. The undistorted images do not fit this ground truth.
    Licence: CC BY-NC-SA 4.0, by the site.
    Counts: 454 images of 4032 x 6048. Clusters: the scenes. Slices: indoor and outdoor, as the
    benchmark's own tables part them.
    Units: despite its name a depth map is bare little-endian float32, row by row, in metres; +inf where not measured.
    Camera: none; the images are distorted, so that no pinhole camera describes them.
    Crop: none. Range: up to 72 m (MiDaS), or any (Marigold).
    Citation: T. Schoeps, J. L. Schoenberger, S. Galliani, T. Sattler, K. Schindler, M. Pollefeys, A. Geiger, "A
    Multi-View Stereo Benchmark with High-Resolution Images and Multi-Camera Videos", CVPR 2017.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        depth_range: (nearest, farthest) in metres.
    """

    family = "eth3d"
    origin = (
        "ETH3D's training images and depth, multi_view_training_dslr_jpg.7z and multi_view_training_dslr_depth.7z "
        "unpacked into one folder (eth3d.net/datasets), or Marigold's eth3d.tar "
        "(share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset)"
    )

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair each depth map with its image, in alphabetical order of scene and image."""
        pattern = r"(depth/[^/]+_dslr_depth/)?([^/]+)/ground_truth_depth/dslr_images/(DSC_\d+)\.JPG"
        found = [m for m in (re.fullmatch(pattern, name) for name in self.names) if m]
        return {
            f"{m[2]}/{m[3]}": (f"{'rgb/' if m[1] else ''}{m[2]}/images/dslr_images/{m[3]}.JPG", m[0])
            for m in sorted(found, key=lambda match: (match[2], match[3]))
        }

    def found_by(self, name: str) -> str | None:
        """The depth map of an image."""
        match = re.fullmatch(r"(rgb/)?([^/]+)/images/dslr_images/(DSC_\d+\.JPG)", name)
        if match is None:
            return None
        top = f"depth/{match[2]}_dslr_depth/" if match[1] else ""
        return f"{top}{match[2]}/ground_truth_depth/dslr_images/{match[3]}"

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i`."""
        image, depth = self.files[self.sample_ids[i]]
        scene = self.sample_ids[i].split("/")[0]
        return Frame(
            image=read_image(self.tree, image),
            depth=read_bare(self.tree, depth, SIZE),
            cluster=scene,
            slice=_PLACES.get(scene, ""),
        )


def read_bare(tree: Tree, name: str, size: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """Decode little-endian float32 without a header.

    Raises:
        DataError: if the file holds another number of values.
    """
    content = tree.read(name)
    if len(content) != 4 * size[0] * size[1]:
        msg = (
            f"{tree.path / name}: expected a bare float32 map of {size} (height, width), {4 * size[0] * size[1]} "
            f"bytes, got {len(content)}; download it again, and see that it is no photograph"
        )
        raise DataError(msg)
    return np.frombuffer(content, "<f4").reshape(size).astype(np.float32)
