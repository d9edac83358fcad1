"""SYNS-Patches, the data set of the Monocular Depth Estimation Challenge."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.published import PublishedDataset, read_image, read_stored
from src.data.storage.decode import read_rgb

PARTITIONS = ("val", "test")
FOCAL_LENGTHS = (688.481, 832.190)
"""Pixels, horizontally and vertically: 84.10 and 25.46 degrees on 1242 x 376, squeezed to KITTI's shape."""


class SYNSPatches(PublishedDataset):
    """SYNS-Patches: patches of panoramas of many kinds of place, measured by laser scanner.

    Source: syns_patches.zip (the Monocular Depth Estimation Challenge, codalab.lisn.upsaclay.fr). The true depth is not
    public: the challenge's server scores submissions, and this reader serves those who hold the folder `depths`.
    Layout: `<scene>/images/NN.png`, `<scene>/depths/NN.npy`, `<scene>/edges/NN.png`, a text file per scene whose second
    line is `Scene Category: <kind>: <detail>`, and `splits/{val,test}_files.txt` with lines `<scene> NN.png`, at the
    root or below syns_patches/.
    Licence: not looked up.
    Counts: 400 images of 27 scenes (val), 775 of 57 scenes (test), 376 x 1242. Clusters: the scenes, each
    one panorama. Slices: the kind of place.
    Units: metres, float.
    Edges: true edges of depth, for the challenge's edge metrics.
    Camera: one for all, with unequal focal lengths.
    Crop: none. Range: 1e-3 to 100 m.
    Citation: J. Spencer et al., "The Monocular Depth Estimation Challenge", WACV Workshops 2023; scans: W. Adams et
    al., "The Southampton-York Natural Scenes (SYNS) dataset", Scientific Reports 2016.

    Args:
        root: folder, .tar or .zip.
        count: images in the split.
        partition: val or test.
        depth_range: (nearest, farthest) in metres.
    """

    family = "syns"
    origin = (
        "SYNS-Patches, syns_patches.zip with the folders depths and edges, which are not public (github.com/jspenmar)"
    )

    def __init__(self, *, root: str | Path, count: int, partition: str, depth_range: Sequence[float]) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if partition not in PARTITIONS:
            msg = f"partition: expected one of {', '.join(PARTITIONS)}, got {partition!r}"
            raise ConfigError(msg)
        self.partition = partition

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image, depth and edges of each listed patch, in the order of the list."""
        listing = f"{self._top}splits/{self.partition}_files.txt"
        rows = [line.split() for line in self.tree.read(listing).decode(errors="replace").splitlines() if line.strip()]
        wrong = [row for row in rows if len(row) != 2 or not re.fullmatch(r"\d+\.png", row[1])]
        if wrong:
            msg = f"{self.tree.path / listing}: expected lines such as '18 00.png', got {' '.join(wrong[0])!r}"
            raise DataError(msg)
        return {
            f"{scene}/{Path(name).stem}": (
                f"{self._top}{scene}/images/{name}",
                f"{self._top}{scene}/depths/{Path(name).stem}.npy",
                f"{self._top}{scene}/edges/{name}",
            )
            for scene, name in rows
        }

    def read(self, i: int) -> Frame:
        """Decode image, depth and edges number `i`."""
        image_name, depth_name, edges_name = self.files[self.sample_ids[i]]
        image = read_image(self.tree, image_name)
        (h, w), (fx, fy) = image.shape[:2], FOCAL_LENGTHS
        scene = self.sample_ids[i].split("/")[0]
        return Frame(
            image=image,
            depth=read_stored(self.tree, depth_name),
            intrinsics=np.array([[fx, 0, w / 2], [0, fy, h / 2], [0, 0, 1]], np.float32),
            cluster=scene,
            slice=self._kinds.get(scene, ""),
            edges=self._edges(edges_name, (h, w)),
        )

    def _edges(self, name: str, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        edges = read_rgb(self.tree.path / name, content=self.tree.read(name), as_stored=True)
        if edges.shape[:2] != size:
            msg = f"{self.tree.path / name}: expected edges of their image's size {size}, got {edges.shape[:2]}"
            raise DataError(msg)
        return np.asarray(edges[..., 0] > 0)

    def shared_files(self) -> Sequence[str]:
        """The text files of the scenes, which name the kinds of place."""
        return self._texts

    @functools.cached_property
    def _texts(self) -> list[str]:
        found = (re.fullmatch(rf"{self._top}([^/]+)/[^/]+\.txt", name) for name in self.names)
        return [m[0] for m in found if m and m[1] != "splits"]

    @functools.cached_property
    def _kinds(self) -> dict[str, str]:
        """The kind of place of each scene that has a text file."""
        texts = {name.split("/")[-2]: self.tree.read(name).decode("latin-1") for name in self.shared_files()}
        kinds = {scene: re.search(r"^Scene Category: *(.+?) *(?::| - |$)", text, re.M) for scene, text in texts.items()}
        return {scene: match[1] for scene, match in kinds.items() if match}

    @property
    def _top(self) -> str:
        return "syns_patches/" if self.tree.exists(f"syns_patches/splits/{self.partition}_files.txt") else ""
