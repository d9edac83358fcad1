"""HyperSim: rendered interiors whose files hold distances from the camera, not depth."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np
from jaxtyping import Float64

from src.core.errors import ConfigError, DataError
from src.data.base import Frame
from src.data.sets.crops import as_box, inside
from src.data.sets.published import PublishedDataset, read_image

SIZE = (768, 1024)
"""Height and width of all images."""
FOCAL_LENGTH = 886.81
"""Pixels. Some scenes have tilted lenses, for which this camera is not exact; published evaluations use it for all."""

_SPLIT = "metadata_images_split_scene_v1.csv"
_PARTITIONS = ("train", "val", "test")


class HyperSim(PublishedDataset):
    """HyperSim, one partition of its public release: photorealistic renderings of interiors.

    Source: the scenes ai_VVV_NNN.zip, unpacked, and metadata_images_split_scene_v1.csv beside them
    (github.com/apple/ml-hypersim).
    Layout: `<scene>/images/scene_<camera>_final_preview/frame.NNNN.tonemap.jpg` and
    `<scene>/images/scene_<camera>_geometry_hdf5/frame.NNNN.depth_meters.hdf5`.
    Licence: CC BY-SA 3.0.
    Counts: 59,543 train, 7386 val and 7690 test images of 768 x 1024 in the official split; images that the authors
    exclude are left out. ZoeDepth reports on test, Depth Anything V2 on val. Clusters: the scenes.
    Units: metres from the centre of the camera along the ray, NaN where the ray met nothing. z = distance * f / |(x, y,
    f)| with f = 886.81 pixels and the principal point in the middle.
    Crop: none; ZoeDepth counts the window 45:471, 41:601 at the top left only. Range: up to 80 m (ZoeDepth) or 20 m
    (Depth Anything V2).
    Citation: M. Roberts et al., "Hypersim: A Photorealistic Synthetic Dataset for Holistic Indoor Scene Understanding",
    ICCV 2021.

    Args:
        root: folder, .tar or .zip with the scenes and the list.
        count: images in the partition.
        partition: train, val or test.
        crop: (top, bottom, left, right), half-open, or None.
        depth_range: (nearest, farthest) in metres.
    """

    family = "hypersim"
    origin = "HyperSim's scenes, unpacked, beside metadata_images_split_scene_v1.csv (github.com/apple/ml-hypersim)"

    def __init__(
        self,
        *,
        root: str | Path,
        count: int,
        partition: str,
        crop: Sequence[int] | None,
        depth_range: Sequence[float],
    ) -> None:
        super().__init__(root=root, count=count, depth_range=depth_range)
        if partition not in _PARTITIONS:
            msg = f"partition: expected one of {', '.join(_PARTITIONS)}, got {partition!r}"
            raise ConfigError(msg)
        self.partition = partition
        self.crop = as_box(crop, SIZE)

    def pairs(self) -> Mapping[str, Sequence[str]]:
        """Image and distance of each frame of the list."""
        rows = csv.DictReader(io.StringIO(self.tree.read(_SPLIT).decode()))
        try:
            listed = [
                (row["scene_name"], row["camera_name"], int(row["frame_id"]))
                for row in rows
                if row["split_partition_name"] == self.partition and row["included_in_public_release"] == "True"
            ]
        except (KeyError, ValueError) as error:
            msg = f"{self.tree.path / _SPLIT}: expected the official list, column missing or no number: {error}"
            raise DataError(msg) from error
        names = [(scene, camera, f"frame.{frame:04d}") for scene, camera, frame in listed]
        return {
            f"{scene}/{camera}/{frame}": (
                f"{scene}/images/scene_{camera}_final_preview/{frame}.tonemap.jpg",
                f"{scene}/images/scene_{camera}_geometry_hdf5/{frame}.depth_meters.hdf5",
            )
            for scene, camera, frame in names
        }

    def read(self, i: int) -> Frame:
        """Decode image and distance number `i` and turn the distance into depth."""
        image, name = self.files[self.sample_ids[i]]
        try:
            with h5py.File(io.BytesIO(self.tree.read(name))) as file:
                distance = file["dataset"][:].astype(np.float64)
            if distance.shape != SIZE:
                msg = f"got a map of {distance.shape}"
                raise ValueError(msg)
        except (OSError, KeyError, ValueError) as error:
            msg = f"{self.tree.path / name}: expected distances of {SIZE} (height, width) in HDF5: {error}"
            raise DataError(msg) from error
        return Frame(
            image=read_image(self.tree, image),
            depth=(distance * _obliqueness()).astype(np.float32),
            valid=None if self.crop is None else inside(self.crop, SIZE),
            intrinsics=np.array(
                [[FOCAL_LENGTH, 0, SIZE[1] / 2], [0, FOCAL_LENGTH, SIZE[0] / 2], [0, 0, 1]], np.float32
            ),
            cluster=self.sample_ids[i].split("/")[0],
        )


def _obliqueness() -> Float64[np.ndarray, "h w"]:
    """The cosine between the ray through each pixel and the optical axis."""
    h, w = SIZE
    y, x = np.mgrid[:h, :w] + 0.5
    length: Float64[np.ndarray, "h w"] = np.sqrt((x - w / 2) ** 2 + (y - h / 2) ** 2 + FOCAL_LENGTH**2)
    return FOCAL_LENGTH / length
