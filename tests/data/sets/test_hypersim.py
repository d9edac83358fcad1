import h5py
import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets.hypersim import HyperSim

SIZE = (768, 1024)
HEADER = "scene_name,camera_name,frame_id,included_in_public_release,exclude_reason,split_partition_name\n"
ROWS = (
    "ai_003_010,cam_00,3,True,,test\n"
    "ai_003_010,cam_01,12,True,,test\n"
    "ai_003_010,cam_01,13,False,scene,test\n"
    "ai_001_001,cam_00,0,True,,train\n"
)


def distances(k):
    values = np.random.default_rng(k).uniform(0.5, 30, SIZE).astype(np.float16)
    values[:5] = np.nan
    return values


def write(root, rows=ROWS):
    for k, (camera, frame) in enumerate((("cam_00", 3), ("cam_01", 12))):
        folder = root / "ai_003_010/images"
        image = folder / f"scene_{camera}_final_preview/frame.{frame:04d}.tonemap.jpg"
        depth = folder / f"scene_{camera}_geometry_hdf5/frame.{frame:04d}.depth_meters.hdf5"
        for path in (image, depth):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], (9, 99, 199)).save(image)
        with h5py.File(depth, "w") as file:
            file["dataset"] = distances(k)
    (root / "metadata_images_split_scene_v1.csv").write_text(HEADER + rows)


def hypersim(root, **changes):
    settings = {"count": 2, "partition": "test", "crop": None, "depth_range": (1e-3, 80.0)}
    return HyperSim(**{"root": root, **settings, **changes})


def test_distance_becomes_depth_in_every_form(tmp_path, pack, form):
    write(tmp_path / "h")
    dataset = hypersim(pack(tmp_path / "h", form))
    assert dataset.sample_ids == ("ai_003_010/cam_00/frame.0003", "ai_003_010/cam_01/frame.0012")
    sample = dataset[1]
    rays = np.stack([*np.meshgrid(np.arange(1024) - 511.5, np.arange(768) - 383.5), np.full(SIZE, 886.81)])
    expected = distances(1).astype(np.float64) * (rays[2] / np.linalg.norm(rays, axis=0))
    np.testing.assert_array_equal(sample.valid[0, 0], np.isfinite(distances(1)))
    np.testing.assert_allclose(sample.depth[0, 0][5:], expected[5:], rtol=1e-7)
    # back from depth and camera to the distance that was stored: rays and intrinsics agree
    fx, cx, cy = sample.intrinsics[0, 0, 0], sample.intrinsics[0, 0, 2], sample.intrinsics[0, 1, 2]
    z = sample.depth[0, 0, 700, 1000]
    length = z * (((1000.5 - cx) / fx) ** 2 + ((700.5 - cy) / fx) ** 2 + 1) ** 0.5
    assert float(length) == pytest.approx(float(distances(1)[700, 1000]), rel=1e-6)
    assert sample.cluster == ("ai_003_010",)


def test_zoedepths_window(tmp_path):
    write(tmp_path)
    valid = hypersim(tmp_path, crop=[45, 471, 41, 601])[0].valid[0, 0]
    assert int(valid.sum()) == 238_560
    assert 0.30 < float(valid.float().mean()) < 0.31


def test_excluded_images_and_other_partitions_are_left_out(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match="2 of 2 files are missing"):
        len(hypersim(tmp_path, partition="train", count=1))
    with pytest.raises(DataError, match="expected the 7690 images of this split, found 2"):
        len(hypersim(tmp_path, count=7690))
    with pytest.raises(ConfigError, match="partition: expected one of train, val, test, got 'all'"):
        hypersim(tmp_path, partition="all")


def test_damaged_files_are_refused_by_name(tmp_path):
    write(tmp_path)
    depth = tmp_path / "ai_003_010/images/scene_cam_00_geometry_hdf5/frame.0003.depth_meters.hdf5"
    with h5py.File(depth, "w") as file:
        file["dataset"] = np.ones((3, 4))
    with pytest.raises(
        DataError, match=r"frame\.0003\.depth_meters\.hdf5: expected distances of \(768, 1024\).*\(3, 4\)"
    ):
        hypersim(tmp_path)[0]
    depth.write_bytes(b"HDF")
    with pytest.raises(DataError, match=r"frame\.0003\.depth_meters\.hdf5: expected distances"):
        hypersim(tmp_path)[0]
    (tmp_path / "metadata_images_split_scene_v1.csv").write_text("scene,frame\na,1\n")
    with pytest.raises(DataError, match=r"split_scene_v1\.csv: expected the official list"):
        len(hypersim(tmp_path))
