"""DDAD: long-range street scenes with depth from laser scanners, projected into the front camera."""

import re
from collections.abc import Mapping, Sequence

from src.data.sets.pictures import Pictures


class DDAD(Pictures):
    """DDAD (Dense Depth for Autonomous Driving), validation split, front camera, as ZoeDepth reads it.

    Source: the validation scenes of DDAD (github.com/TRI-ML/DDAD), whose laser points the authors' package dgp projects
    into CAMERA_01; ZoeDepth reads what such a projection has written. No download holds these files: the official
    one is read by `src.data.sets.ddad_scenes.DDADScenes`, and MoGe's bundle has another selection.
    Layout: `<name>_rgb.png` and `<name>_depth.npy`, at any depth below the root.
    Licence: CC BY-NC-SA 4.0, by the repository.
    Counts: 3950 frames of 1216 x 1936 (50 scenes) by ZoeDepth's paper. Clusters: the first folder, if there are any.
    Units: metres, 0 where no point fell; a map of one channel.
    Camera: none in these files.
    Crop: Garg's, as fractions of each image. Range: up to 80 m (ZoeDepth), 120 m (UniDepth), 200 m (Metric3D, of 500
    frames that are not published) or 250 m (SlowTV, of 1000 frames).
    Citation: V. Guizilini, R. Ambrus, S. Pillai, A. Raventos, A. Gaidon, "3D Packing for Self-Supervised Monocular
    Depth Estimation", CVPR 2020.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        crop: garg, eigen, a box (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "ddad"
    origin = (
        "DDAD's validation frames as pairs of <name>_rgb.png and <name>_depth.npy, written with the authors' package "
        "from the official download (github.com/TRI-ML/DDAD)"
    )
    units = 1

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Pair image and depth by name, in alphabetical order."""
        found = (re.fullmatch(r"(.+)_rgb\.png", name) for name in self.names)
        return {m[1]: (m[0], f"{m[1]}_depth.npy") for m in found if m}

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"(.+)_depth\.npy", name)
        return f"{match[1]}_rgb.png" if match else None
