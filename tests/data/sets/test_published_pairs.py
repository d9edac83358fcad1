"""Sets that are pairs of files: their layout, values to the last bit, and broken files, which are named."""

import io
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.sets.ddad import DDAD
from src.data.sets.diml import DIMLIndoor, DIMLOutdoor
from src.data.sets.ibims_png import IBimsPNG
from src.data.sets.sunrgbd_packs import SUNRGBDResized, SUNRGBDZoe
from src.data.sets.syns import SYNSPatches
from src.data.sets.tum import TUMPeople, TUMSequences
from src.data.sets.vkitti import VirtualKITTI
from src.data.storage.archive import MissingFilesError

RNG = np.random.default_rng(0)
SIZE = (40, 60)
RGB = RNG.integers(0, 256, (*SIZE, 3), np.uint8)
STORED = RNG.integers(0, 9000, SIZE, np.uint16)
FLOATS = RNG.uniform(0, 90, SIZE).astype(np.float32)
FLOATS[0, :3] = (np.nan, np.inf, 0)


def encoded(array, suffix="png"):
    file = io.BytesIO()
    if suffix == "npy":
        np.save(file, array)
    else:
        Image.fromarray(array).save(file, suffix.replace("jpg", "jpeg"))
    return file.getvalue()


def hdf5(**arrays):
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        for name, array in arrays.items():
            content[f"gt/{name}"] = array
    return file.getvalue()


ONES = encoded(np.full(SIZE, 255, np.uint8))
# files by path: the sample looked at, first its image and depth; class, settings, depth in metres
SETS = {
    "diml outdoor": (
        DIMLOutdoor,
        {"crop": None, "depth_range": (0.0, 80.0)},
        {"pärk 1/outleft/a.png": encoded(RGB), "pärk 1/depthmap/a.png": encoded(STORED)},
        STORED / 1000,
    ),
    "diml indoor": (
        DIMLIndoor,
        {"crop": None, "depth_range": (0.0, 10.0)},
        {"LR/r 1/color/a_c.png": encoded(RGB), "LR/r 1/depth_filled/a_depth_filled.png": encoded(STORED)},
        STORED / 1000,
    ),
    "ddad": (
        DDAD,
        {"crop": None, "depth_range": (0.0, 1e3)},
        {"s 1/a_rgb.png": encoded(RGB), "s 1/a_depth.npy": encoded(FLOATS, "npy")},
        FLOATS,
    ),
    "sunrgbd zoedepth": (
        SUNRGBDZoe,
        {"crop": None, "depth_range": (0.0, 10.0)},
        {"rgb/rgb/a.jpg": encoded(RGB, "jpg"), "gt/gt/a.png": encoded(STORED)},
        STORED / 1000,
    ),
    "sunrgbd resized": (
        SUNRGBDResized,
        {"crop": None, "depth_range": (0.0, 10.0)},
        {"rgb/img-000007.jpg": encoded(RGB, "jpg"), "depth/7.png": encoded(STORED)},
        STORED / 10_000,
    ),
    "ibims": (
        IBimsPNG,
        {"crop": None, "depth_range": (0.0, 50.0)},
        {
            "rgb/lab_01.png": encoded(RGB),
            "depth/lab_01.png": encoded(STORED),
            "mask_invalid/lab_01.png": ONES,
            "mask_transp/lab_01.png": ONES,
            "imagelist.txt": b"lab_01\n",
        },
        STORED.astype(np.float64) * 50 / 65535,
    ),
    "syns": (
        SYNSPatches,
        {"partition": "val", "depth_range": (0.0, 1e3)},
        {
            "syns_patches/18/images/00.png": encoded(RGB),
            "syns_patches/18/depths/00.npy": encoded(FLOATS, "npy"),
            "syns_patches/18/edges/00.png": encoded((RGB[..., 0] > 99).astype(np.uint8) * 255),
            "syns_patches/18/info.txt": "Größe\nScene Category: Nature: wood\n".encode("latin-1"),
            "syns_patches/splits/val_files.txt": b"18 00.png",
        },
        FLOATS,
    ),
    "tum sequences": (
        TUMSequences,
        {"crop": None, "depth_range": (0.0, 10.0)},
        {
            "rgbd_dataset_freiburg3_walking_xyz/rgb/1341846313.592026.png": encoded(RGB),
            "rgbd_dataset_freiburg3_walking_xyz/depth/1341846313.592088.png": encoded(STORED),
            "rgbd_dataset_freiburg3_walking_xyz/rgb/1341846399.0.png": b"no depth map is near in time",
        },
        STORED / 5000,
    ),
}


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.mark.parametrize("name", SETS)
def test_pixels_and_depths_come_back_to_the_last_bit_in_every_form(tmp_path, pack, form, name):
    kind, settings, files, metres = SETS[name]
    dataset = kind(root=pack(write(tmp_path / "ä set", files), form), count=1, **settings)
    assert len(dataset) == 1
    sample = dataset[0]
    image = np.array(Image.open(io.BytesIO(next(iter(files.values())))))
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), image)
    metres = np.asarray(metres, np.float64).astype(np.float32)
    expected = np.where(np.isfinite(metres) & (metres > 0), metres, 0)
    np.testing.assert_array_equal(sample.depth[0, 0], expected)
    np.testing.assert_array_equal(sample.valid[0, 0], expected > 0)


@pytest.mark.parametrize("fault", ["cut off", "garbage", "empty", "missing", "wrong kind"])
@pytest.mark.parametrize("which", [0, 1], ids=["image", "depth"])
@pytest.mark.parametrize("name", SETS)
def test_a_broken_file_is_named(tmp_path, name, which, fault):
    kind, settings, files, _ = SETS[name]
    write(tmp_path, files)
    broken = tmp_path / list(files)[which]
    content = broken.read_bytes()
    wrong = encoded(np.zeros(SIZE, np.uint16)) if which == 0 else encoded(np.array(["a"]), "npy")
    if broken.suffix == ".png" and which == 1:
        wrong = encoded(RGB[..., 0])
    if fault == "missing":
        broken.unlink()
    else:
        contents = {"cut off": content[: len(content) // 2], "garbage": b"x" * 99, "empty": b"", "wrong kind": wrong}
        broken.write_bytes(contents[fault])
    # recordings of TUM RGB-D are paired by time, so that nobody can tell what is missing
    lost = fault == "missing" and name == "tum sequences"
    with pytest.raises(DataError, match="expected the 1 images of this split, found 0" if lost else Path(broken).name):
        kind(root=tmp_path, count=1, **settings)[0]


@pytest.mark.parametrize("name", [name for name in SETS if name != "tum sequences"])
@pytest.mark.parametrize("which", [0, 1], ids=["image", "depth"])
def test_half_a_pair_is_listed_as_missing_and_is_counted_where_it_may_be_skipped(tmp_path, name, which):
    kind, settings, files, _ = SETS[name]
    write(tmp_path, files)
    missing = list(files)[which]
    (tmp_path / missing).unlink()
    with pytest.raises(MissingFilesError) as caught:
        len(kind(root=tmp_path, count=1, **settings))
    assert caught.value.names == (missing,)
    dataset = kind(root=tmp_path, count=1, **settings)
    dataset.lists_incomplete = True
    assert len(dataset) == 1
    with pytest.raises(DataError, match=re.escape(missing)):
        dataset[0]


def test_nothing_measured_is_no_error(tmp_path):
    kind, settings, files, _ = SETS["ddad"]
    write(tmp_path, {**files, "s 1/a_depth.npy": encoded(np.full(SIZE, np.nan), "npy")})
    assert not kind(root=tmp_path, count=1, **settings)[0].valid.any()


def test_crops_end_where_the_image_does(tmp_path):
    kind, settings, files, _ = SETS["sunrgbd zoedepth"]
    write(tmp_path, files)
    sample = kind(root=tmp_path, count=1, **{**settings, "crop": [35, 471, 41, 601]})[0]
    expected = np.zeros(SIZE, bool)
    expected[35:, 41:] = True
    np.testing.assert_array_equal(sample.valid[0, 0], expected & (STORED > 0))


def test_masks_annotations_and_cameras(tmp_path):
    kind, settings, files, _ = SETS["ibims"]
    hole = np.full(SIZE, 255, np.uint8)
    hole[5] = 0
    write(tmp_path / "i", {**files, "mask_transp/lab_01.png": encoded(hole)})
    sample = kind(root=tmp_path / "i", count=1, **settings)[0]
    assert not sample.valid[0, 0, 5].any()
    assert (sample.cluster, sample.slice) == (("",), ("lab",))
    kind, settings, files, _ = SETS["syns"]
    sample = kind(root=write(tmp_path / "s", files), count=1, **settings)[0]
    np.testing.assert_array_equal(sample.edges[0, 0], RGB[..., 0] > 99)
    assert (sample.cluster, sample.slice) == (("18",), ("Nature",))
    kind, settings, files, _ = SETS["tum sequences"]
    sample = kind(root=write(tmp_path / "t", files), count=1, **settings)[0]
    np.testing.assert_allclose(sample.intrinsics[0, :2, 2], [320.6, 248.1], rtol=1e-6)
    assert (sample.cluster, sample.slice) == (("rgbd_dataset_freiburg3_walking_xyz",), ("freiburg3",))


def test_tum_people(tmp_path):
    image = (RGB / 255).astype(np.float32)
    write(tmp_path, {"clip_1_2.5.jpg.h5": hdf5(img_1=image, gt_depth=FLOATS)})
    dataset = TUMPeople(root=tmp_path, count=1, depth_range=(1e-8, 10.0))
    sample = dataset[0]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB)
    np.testing.assert_array_equal(sample.valid[0, 0], (FLOATS > 1e-8) & (FLOATS < 10))
    assert sample.cluster == ("clip_1",)
    for content in (b"", b"x" * 99, hdf5(img_1=image), hdf5(img_1=image * 255, gt_depth=FLOATS)):
        write(tmp_path, {"clip_1_2.5.jpg.h5": content})
        with pytest.raises(DataError, match=r"clip_1_2\.5\.jpg\.h5: expected an HDF5 file"):
            TUMPeople(root=tmp_path, count=1, depth_range=(1e-8, 10.0))[0]


def test_virtual_kitti_in_its_two_archives(tmp_path, pack):
    rgb, stored = RNG.integers(0, 256, (375, 1242, 3), np.uint8), RNG.integers(1, 9000, (375, 1242), np.uint16)
    name = "Scene01/15-deg-left/frames/{0}/Camera_0/{0}_00000.{1}"
    write(tmp_path / "rgb", {name.format("rgb", "jpg"): encoded(rgb, "jpg")})
    write(tmp_path / "depth", {name.format("depth", "png"): encoded(stored)})
    roots = {"root": pack(tmp_path / "rgb", "tar"), "depth_root": pack(tmp_path / "depth", "tar")}
    settings = {"count": 1, "listing": None, "view": "kb", "crop": "garg", "depth_range": (1e-3, 80.0)}
    sample = VirtualKITTI(**roots, **settings)[0]
    metres = (stored / 100).astype(np.float32)[23:, 13:1229]
    expected = np.zeros((352, 1216), np.float32)
    expected[143:349, 43:1172] = np.where(metres < 80, metres, 0)[143:349, 43:1172]
    np.testing.assert_array_equal(sample.depth[0, 0], expected)
    np.testing.assert_allclose(sample.intrinsics[0, :2, 2], [621 - 13, 187.5 - 23])
    assert (sample.cluster, sample.slice) == (("Scene01",), ("15-deg-left",)), "a variation shows the same places"
    (tmp_path / "test.txt").write_text(f"/data/rgb/{name.format('rgb', 'jpg')}\n")
    assert len(VirtualKITTI(**roots, **{**settings, "listing": tmp_path / "test.txt"})) == 1
    with pytest.raises(DataError, match=r"absent\.txt: expected the list"):
        len(VirtualKITTI(**roots, **{**settings, "listing": tmp_path / "absent.txt"}))
    with pytest.raises(DataError, match="expected the 21260 images"):
        len(VirtualKITTI(**roots, **{**settings, "count": 21260}))
