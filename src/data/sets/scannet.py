"""ScanNet: the 800 validation frames that Marigold and its successors are scored on."""

from collections.abc import Mapping, Sequence

from src.data.base import Frame
from src.data.sets import frames
from src.data.sets.published import PublishedDataset, per_metre, read_image, read_stored


class ScanNet(PublishedDataset):
    """ScanNet, 800 frames of its validation scans: rooms seen by a depth camera.

    Source: Marigold's scannet_val_sampled_800_1.tar, for which ScanNet's terms of use must have been accepted
    (kaldir.vc.in.tum.de/scannet). The list of frames comes with this package.
    Layout: `sceneXXXX_YY/color/NNNNNN.jpg` and `depth/NNNNNN.png`, both of 480 x 640; ScanNet's own colour images of
    968 x 1296 are refused, since resizing them would be a choice that the published numbers do not state.
    Licence: ScanNet terms of use; research only, no redistribution.
    Counts: 800 images of 271 scans in 129 rooms. Clusters: the rooms, since the scans of a
    room show the same things.
    Units: 16-bit PNG, millimetres, 0 where not measured.
    Camera: none in the bundle.
    Crop: none. Range: 1e-3 to 10 m.
    Citation: A. Dai, A. X. Chang, M. Savva, M. Halber, T. Funkhouser, M. Niessner, "ScanNet: Richly-annotated 3D
    Reconstructions of Indoor Scenes", CVPR 2017; selection: B. Ke et al., CVPR 2024.

    Args:
        root: folder or .tar.
        count: images in the split.
        depth_range: (nearest, farthest) in metres.
    """

    family = "scannet"
    origin = (
        "Marigold's 800 frames of ScanNet, scannet/scannet_val_sampled_800_1.tar "
        "(share.phys.ethz.ch/~pf/bingkedata/marigold/evaluation_dataset; accept ScanNet's terms of use first)"
    )

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Colour and depth of each frame of the list, by scan and frame."""
        names = [
            (f"{scan}/color/{frame:06d}.jpg", f"{scan}/depth/{frame:06d}.png") for scan, frame in frames.scannet_800()
        ]
        return {image.replace("/color/", "/").removesuffix(".jpg"): (image, depth) for image, depth in names}

    def read(self, i: int) -> Frame:
        """Decode image and depth number `i`."""
        image, depth = self.files[self.sample_ids[i]]
        return Frame(
            image=read_image(self.tree, image),
            depth=per_metre(read_stored(self.tree, depth), 1000),
            cluster=self.sample_ids[i].partition("_")[0],
        )
