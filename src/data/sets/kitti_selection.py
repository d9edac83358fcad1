"""KITTI's own selection of validation images, cut to the benchmark's size."""

import re
from collections.abc import Mapping, Sequence

from src.data.base import Frame
from src.data.sets.kitti import as_camera
from src.data.sets.published import PublishedDataset, per_metre, read_image, read_stored


class KITTISelection(PublishedDataset):
    """KITTI depth prediction, val_selection_cropped: 1000 images of the validation recordings.

    Source: data_depth_selection.zip (cvlibs.net/datasets/kitti/eval_depth.php), as downloaded or unpacked.
    Layout: `image/<drive>_sync_image_NNNNNNNNNN_image_0X.png`, `groundtruth_depth/<drive>_sync_groundtruth_depth_
    NNNNNNNNNN_image_0X.png` and `intrinsics/<image>.txt`, at the root or below depth_selection/val_selection_cropped.
    Licence: CC BY-NC-SA 3.0, by the site.
    Counts: 1000 images of 352 x 1216, of both colour cameras. Clusters: the recordings. This is not the set of 161
    images that the MiDaS paper reports.
    Units: 16-bit PNG, 1/256 m, 0 where not measured.
    Camera: the file beside each image, moved by half a pixel (KITTI's pixel centres are integers).
    Crop: none. Range: up to 80 m.
    Citation: J. Uhrig, N. Schneider, L. Schneider, U. Franke, T. Brox, A. Geiger, "Sparsity Invariant CNNs", 3DV 2017.

    Args:
        root: folder or .zip.
        count: images in the split.
        depth_range: (nearest, farthest) in metres.
    """

    family = "kitti"
    origin = "KITTI's data_depth_selection.zip (cvlibs.net/datasets/kitti/eval_depth.php)"

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, depth and camera, in alphabetical order of the images."""
        pattern = r"((?:depth_selection/)?(?:val_selection_cropped/)?)image/((.+_sync)_image_(.+))\.png"
        found = (re.fullmatch(pattern, name) for name in self.names)
        return {
            m[2]: (
                m[0],
                f"{m[1]}groundtruth_depth/{m[3]}_groundtruth_depth_{m[4]}.png",
                f"{m[1]}intrinsics/{m[2]}.txt",
            )
            for m in found
            if m
        }

    def found_by(self, name: str) -> str | None:
        """The image of a depth map."""
        match = re.fullmatch(r"(.*)groundtruth_depth/(.+_sync)_groundtruth_depth_(.+\.png)", name)
        return f"{match[1]}image/{match[2]}_image_{match[3]}" if match else None

    def read(self, i: int) -> Frame:
        """Decode image, depth and camera number `i`."""
        image, depth, camera = self.files[self.sample_ids[i]]
        words = self.tree.read(camera).decode(errors="replace").split()
        return Frame(
            image=read_image(self.tree, image),
            depth=per_metre(read_stored(self.tree, depth), 256),
            intrinsics=as_camera(words, columns=3, where=self.tree.path / camera),
            cluster=self.sample_ids[i].split("_image_")[0],
        )
