import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.sets import frames
from src.data.sets.scannet import ScanNet

SETTINGS = {"count": 800, "depth_range": (1e-3, 10.0)}
DEPTH = np.random.default_rng(0).integers(0, 12_000, (480, 640), np.uint16)


def write(root, size=(480, 640)):
    for k, (scan, frame) in enumerate(frames.scannet_800()):
        image, depth = root / scan / f"color/{frame:06d}.jpg", root / scan / f"depth/{frame:06d}.png"
        for path in (image, depth):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        if k == 1:
            Image.new("RGB", size[::-1], (9, 99, 199)).save(image, quality=95)
            Image.fromarray(DEPTH).save(depth)


def test_the_bundle_in_every_form(tmp_path, pack, form):
    write(tmp_path / "s")
    dataset = ScanNet(root=pack(tmp_path / "s", form), **SETTINGS)
    assert len(dataset) == 800
    assert dataset.sample_ids[1] == "scene0011_00/001200"
    sample = dataset[1]
    assert sample.cluster == ("scene0011",), "two scans of a room are of one room"
    np.testing.assert_allclose(sample.image[0, :, 0, 0].int(), [9, 99, 199], atol=3)
    expected = np.where((DEPTH > 1) & (DEPTH < 10_000), (DEPTH / 1000).astype(np.float32), 0)
    np.testing.assert_array_equal(sample.depth[0, 0], expected)


def test_colour_images_as_scannet_has_them_are_refused(tmp_path):
    write(tmp_path, size=(968, 1296))
    with pytest.raises(DataError, match=r"001200: expected image and ground truth of one size, got \(968, 1296\)"):
        ScanNet(root=tmp_path, **SETTINGS)[1]


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "scene0011_00/depth/001200.png").unlink()
    with pytest.raises(
        DataError, match=r"1 of 1600 files are missing, the first: \['scene0011_00/depth/001200\.png'\]"
    ):
        len(ScanNet(root=tmp_path, **SETTINGS))
    with pytest.raises(DataError, match=r"absent: expected Marigold's 800 frames of ScanNet.*terms of use first"):
        len(ScanNet(root=tmp_path / "absent", **SETTINGS))
