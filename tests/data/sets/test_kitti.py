import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets import frames
from src.data.sets.kitti import KITTI
from src.data.sets.kitti_listed import KITTIListed
from src.data.sets.kitti_selection import KITTISelection
from src.data.storage.archive import MissingFilesError

RNG = np.random.default_rng(0)
SIZE = (375, 1242)
RGB = RNG.integers(0, 256, (*SIZE, 3), np.uint8)
DEPTH = RNG.integers(1, 2**15, SIZE, np.uint16) * (RNG.random(SIZE) < 0.9)
METRES = (DEPTH / 256).astype(np.float32)
DRIVE, FRAME = "2011_09_26_drive_0002_sync", "0000000006"
CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
P_rect_00: 7.0e+02 0 6.0e+02 0 0 7.0e+02 1.0e+02 0 0 0 1 0
P_rect_02: 7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 0.000000e+00 7.215377e+02 1.728540e+02 2.163791e-01 """
CALIBRATION += "0.000000e+00 0.000000e+00 1.000000e+00 2.745884e-03\n"
VALIDATION = {f"2011_09_26_drive_{n}_sync" for n in ("0002", "0013", "0020", "0023", "0036")} | {
    "2011_09_30_drive_0016_sync",
    "2011_10_03_drive_0047_sync",
}


def write(root, depth_root, *, folders=("train/", "val/"), calibration=True):
    """Empty files but for one frame; frames without annotated depth have an image only."""
    annotated = set(frames.kitti_eigen(annotated=True))
    for drive, frame in frames.kitti_eigen(annotated=False):
        image = root / drive[:10] / drive / f"image_02/data/{frame:010d}.png"
        folder = folders[drive in VALIDATION]
        depth = depth_root / f"{folder}{drive}/proj_depth/groundtruth/image_02/{frame:010d}.png"
        for path in (image, depth) if (drive, frame) in annotated else (image,):
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
            path.touch()
        if (drive, f"{frame:010d}") == (DRIVE, FRAME):
            Image.fromarray(RGB).save(image, compress_level=1)
            Image.fromarray(DEPTH).save(depth)
    for date in root.glob("2011_*") if calibration else ():
        (date / "calib_cam_to_cam.txt").write_text(CALIBRATION)


def kitti(root, depth_root=None, **changes):
    settings = {"count": 652, "split": "eigen", "view": "full", "crop": None, "depth_range": (1e-3, 80.0)}
    return KITTI(root=root, depth_root=root if depth_root is None else depth_root, **{**settings, **changes})


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kitti")
    write(folder / "raw", folder / "annotated")
    return folder / "raw", folder / "annotated"


def test_the_652_annotated_frames_of_697(raw):
    dataset = kitti(*raw)
    assert len(dataset) == 652
    assert dataset.sample_ids[0] == f"{DRIVE}/{FRAME}"
    assert dataset[0].cluster == (DRIVE,)


def test_pixels_and_depths_come_back_to_the_last_bit(raw):
    sample = kitti(*raw)[0]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB)
    valid = (METRES > 1e-3) & (METRES < 80)
    np.testing.assert_array_equal(sample.valid[0, 0], valid)
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(valid, METRES, 0))


@pytest.mark.parametrize(
    ("view", "crop", "box"),
    [  # the box in pixels of the recorded frame
        ("full", "garg", (153, 371, 44, 1197)),
        ("full", "eigen", (124, 342, 44, 1197)),
        ("kb", "garg", (166, 372, 56, 1185)),
        ("kb", "eigen", (140, 344, 56, 1185)),
        ("kb", None, (23, 375, 13, 1229)),
    ],
)
def test_published_views_and_crops_to_the_pixel(raw, view, crop, box):
    sample = kitti(*raw, view=view, crop=crop)[0]
    top, left = (23, 13) if view == "kb" else (0, 0)
    h, w = (352, 1216) if view == "kb" else SIZE
    assert sample.size == (h, w)
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB[top : top + h, left : left + w])
    expected = np.zeros(SIZE, np.float32)
    part = np.s_[box[0] : box[1], box[2] : box[3]]
    expected[part] = np.where(METRES < 80, METRES, 0)[part]
    np.testing.assert_array_equal(sample.depth[0, 0], expected[top : top + h, left : left + w])


def test_metric3d_takes_the_crop_of_the_full_frame_and_then_cuts_the_sides(raw):
    sample = kitti(*raw, view="metric3d", crop="eigen")[0]
    assert sample.size == (375, 1197 - 43)
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB[:, 43:1197])
    expected = np.zeros(SIZE, np.float32)
    expected[124:342, 44:1197] = np.where(METRES < 80, METRES, 0)[124:342, 44:1197]
    np.testing.assert_array_equal(sample.depth[0, 0], expected[:, 43:1197])
    assert sample.intrinsics[0, 0, 2].item() == pytest.approx(609.5593 + 0.5 - 43)


@pytest.fixture
def listed(tmp_path):
    """Two frames of one recording, of either camera, with calibrations of their own."""
    drive, names = "2011_09_28_drive_0001_sync", {"image_02": "0000000069", "image_03": "0000000007"}
    for k, (camera, frame) in enumerate(names.items()):
        image = tmp_path / f"raw/2011_09_28/{drive}/{camera}/data/{frame}.png"
        depth = tmp_path / f"depth/train/{drive}/proj_depth/groundtruth/{camera}/{frame}.png"
        for path, array in ((image, RGB), (depth, DEPTH + np.uint16(k))):
            path.parent.mkdir(parents=True)
            Image.fromarray(array).save(path, compress_level=1)
    right = CALIBRATION.splitlines()[-1].replace("P_rect_02", "P_rect_03").replace("6.095593e+02", "5.0e+02")
    (tmp_path / "raw/2011_09_28/calib_cam_to_cam.txt").write_text(f"{CALIBRATION}{right}\n")
    (tmp_path / "list.txt").write_text(f"2011_09_28/{drive} 69 l\n2011_09_28/{drive} 7 r")
    settings = {"count": 2, "view": "full", "crop": None, "depth_range": (1e-3, 100.0)}
    return KITTIListed(root=tmp_path / "raw", depth_root=tmp_path / "depth", listing=tmp_path / "list.txt", **settings)


def test_a_list_names_frames_of_both_cameras(listed):
    assert listed.sample_ids == (
        "2011_09_28_drive_0001_sync/image_02/0000000069",
        "2011_09_28_drive_0001_sync/image_03/0000000007",
    )
    left, right = listed[0], listed[1]
    for sample, stored in ((left, DEPTH), (right, DEPTH + np.uint16(1))):
        metres = (stored / 256).astype(np.float32)
        np.testing.assert_array_equal(sample.depth[0, 0], np.where((metres > 1e-3) & (metres < 100), metres, 0))
        assert sample.cluster == ("2011_09_28_drive_0001_sync",)
    assert left.intrinsics[0, 0, 2].item() == pytest.approx(609.5593 + 0.5)
    assert right.intrinsics[0, 0, 2].item() == pytest.approx(500.5)


def test_a_list_of_another_kind_is_refused_by_line(listed):
    listed.listing.write_text("2011_09_28/2011_09_28_drive_0001_sync 69 l\nrgb.png depth.png\n")
    with pytest.raises(DataError, match=r"list\.txt: line 2: expected <date>/<drive>_sync <frame> l or r, got 'rgb"):
        len(listed)
    listed.listing.unlink()
    with pytest.raises(DataError, match=r"list\.txt: expected the list of the images that count"):
        len(listed)


def test_the_camera_moves_with_the_view(raw):
    full, cropped = (kitti(*raw, view=view)[0].intrinsics[0].numpy() for view in ("full", "kb"))
    expected = np.array([[721.5377, 0, 609.5593 + 0.5], [0, 721.5377, 172.854 + 0.5], [0, 0, 1]])
    np.testing.assert_allclose(full, expected, rtol=1e-7)
    np.testing.assert_allclose(cropped, expected - [[0, 0, 13], [0, 0, 23], [0, 0, 0]], rtol=1e-7)


def test_the_bundle_in_every_form(tmp_path, pack, form):
    write(tmp_path / "b", tmp_path / "b", folders=("", ""), calibration=False)
    dataset = kitti(pack(tmp_path / "b", form), view="kb", crop="eigen", depth_range=(1e-5, 80.0))
    assert len(dataset) == 652
    assert dataset[0].intrinsics is None
    assert dataset[0].valid[0, 0].nonzero().amin(0).tolist() == [117, 43]
    assert dataset[0].valid[0, 0].nonzero().amax(0).tolist() == [320, 1171]


def test_annotated_depth_is_read_in_its_zip(tmp_path, pack, raw):
    write(tmp_path / "raw", tmp_path / "depth")
    dataset = kitti(tmp_path / "raw", pack(tmp_path / "depth", "zip"))
    np.testing.assert_array_equal(dataset[0].depth, kitti(*raw)[0].depth)


def test_the_161_frames_of_midas(raw):
    dataset = kitti(*raw, split="midas", count=161)
    assert len(dataset) == 161
    drives = [name.split("/")[0] for name in dataset.sample_ids]
    assert [drives.count(drive) for drive in sorted(VALIDATION)] == [21, 23, 22, 25, 23, 23, 24]
    assert all(dataset.files[name][1].startswith("val/") for name in dataset.sample_ids)


def test_missing_files_are_counted_per_root(tmp_path):
    write(tmp_path / "raw", tmp_path / "depth")
    missing = f"{DRIVE}/proj_depth/groundtruth/image_02/{FRAME}.png"
    (tmp_path / "depth" / "val" / missing).unlink()
    with pytest.raises(DataError, match=rf"depth: 1 of 652 files are missing, the first: \['{missing}'\]"):
        len(kitti(tmp_path / "raw", tmp_path / "depth"))
    (tmp_path / f"raw/2011_09_26/{DRIVE}/image_02/data/{FRAME}.png").unlink()
    with pytest.raises(
        MissingFilesError, match=r"raw: 1 of 652 files are missing.*depth: 1 of 652 files are"
    ) as caught:
        len(kitti(tmp_path / "raw", tmp_path / "depth"))
    assert caught.value.names == (f"2011_09_26/{DRIVE}/image_02/data/{FRAME}.png", missing)


def test_missing_roots_say_where_to_get_them(tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(
        DataError, match=r"absent: expected KITTI's data_depth_annotated\.zip .*eval_depth\.php.*data\.depth_root="
    ):
        len(kitti(tmp_path / "raw", tmp_path / "absent"))
    with pytest.raises(DataError, match=r"absent: expected KITTI's raw recordings.*raw_data\.php"):
        len(kitti(tmp_path / "absent"))


def test_an_image_of_another_size_than_its_depth_is_refused_before_the_cut(tmp_path):
    write(tmp_path / "b", tmp_path / "b", folders=("", ""))
    Image.new("RGB", (1241, 376)).save(tmp_path / f"b/2011_09_26/{DRIVE}/image_02/data/{FRAME}.png")
    with pytest.raises(
        DataError, match=rf"{FRAME}\.png: expected an image of its depth map's size, .* \(376, 1241\) and"
    ):
        kitti(tmp_path / "b", view="kb")[0]


@pytest.mark.parametrize("text", ["P_rect_00: 1 2\n", "P_rect_02: 1 2 3\n", "P_rect_02: a b c d e f g h i j k l\n"])
def test_a_calibration_without_the_camera_is_refused(tmp_path, text):
    write(tmp_path / "b", tmp_path / "b", folders=("", ""))
    (tmp_path / "b/2011_09_26/calib_cam_to_cam.txt").write_text(text)
    with pytest.raises(DataError, match=r"2011_09_26/calib_cam_to_cam\.txt: expected .*12 numbers"):
        kitti(tmp_path / "b")[0]


@pytest.mark.parametrize("name", ["split", "view", "crop"])
def test_unknown_variants_name_the_known_ones(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"{name}: expected one of .*, got 'other'"):
        kitti(tmp_path, **{name: "other"})


def write_selection(root, n):
    for folder in ("image", "groundtruth_depth", "intrinsics"):
        (root / folder).mkdir(parents=True)
    for k in range(n):
        name = f"{k:010d}_image_0{2 + k % 2}"
        Image.fromarray(RGB[k : k + 352, :1216]).save(root / f"image/{DRIVE}_image_{name}.png", compress_level=1)
        Image.fromarray(DEPTH[k : k + 352, :1216]).save(
            root / f"groundtruth_depth/{DRIVE}_groundtruth_depth_{name}.png"
        )
        (root / f"intrinsics/{DRIVE}_image_{name}.txt").write_text(f"7{k}1.5 0 596.5 0 721.5 149.8 0 0 1 \n")


@pytest.mark.parametrize("below", ["", "depth_selection/val_selection_cropped"])
def test_the_selection_in_every_form(tmp_path, pack, form, below):
    write_selection(tmp_path / "s" / below, 3)
    dataset = KITTISelection(root=pack(tmp_path / "s", form), count=3, depth_range=(1e-3, 80.0))
    assert dataset.sample_ids[1] == f"{DRIVE}_image_0000000001_image_03"
    sample = dataset[1]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB[1:353, :1216])
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(METRES < 80, METRES, 0)[1:353, :1216])
    assert sample.intrinsics[0].tolist() == [[711.5, 0, 597], [0, 721.5, pytest.approx(150.3)], [0, 0, 1]]
    assert sample.cluster == (DRIVE,)


def test_a_selection_that_is_not_whole_is_refused(tmp_path):
    write_selection(tmp_path, 2)
    with pytest.raises(DataError, match="expected the 1000 images of this split, found 2"):
        len(KITTISelection(root=tmp_path, count=1000, depth_range=(1e-3, 80.0)))
