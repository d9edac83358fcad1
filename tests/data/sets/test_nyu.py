import h5py
import numpy as np
import pytest
import scipy.io

from src.core.errors import ConfigError, DataError
from src.data.sets import frames
from src.data.sets.nyu import NYU

TYPES = ("kitchen", "office", "home_storage")
CROP = [45, 471, 41, 601]


def image_of(number):
    return np.random.default_rng(number).integers(0, 256, (480, 640, 3), np.uint8)


def depth_of(number, *, filled=False):
    return np.random.default_rng((number, filled)).uniform(0.7, 12, (480, 640)).astype(np.float32)


def write(folder, numbers=(1, 1449), test=None, n=1449):
    """The official files: HDF5 behind MATLAB's 512-byte header, axes reversed, cell arrays as references."""
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        chunked = {"chunks": (1, 3, 640, 480), "compression": "gzip", "compression_opts": 1}
        images = file.create_dataset("images", (n, 3, 640, 480), np.uint8, **chunked)
        chunked["chunks"] = (1, 640, 480)
        maps = {
            name: file.create_dataset(name, (n, 640, 480), np.float32, **chunked) for name in ("depths", "rawDepths")
        }
        for number in numbers:
            images[number - 1] = image_of(number).transpose(2, 1, 0)
            maps["rawDepths"][number - 1] = depth_of(number).T
            maps["depths"][number - 1] = depth_of(number, filled=True).T
        words = [
            file.create_dataset(f"#refs#/{k}", data=[[ord(c)] for c in kind], dtype=np.uint16)
            for k, kind in enumerate(TYPES)
        ]
        cells = file.create_dataset("sceneTypes", (1, n), h5py.ref_dtype)
        cells[0] = [words[k % 3].ref for k in range(n)]
    with (folder / "nyu_depth_v2_labeled.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    test = np.array(frames.nyu_test() if test is None else test)
    scipy.io.savemat(folder / "splits.mat", {"testNdxs": test[:, None], "trainNdxs": np.array([[5]])})


def nyu(root, **changes):
    return NYU(
        **{"root": root, "count": 654, "field": "rawDepths", "crop": CROP, "depth_range": (1e-3, 10.0), **changes}
    )


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nyu") / "größe nyu"
    write(folder)
    return folder


def test_the_split_is_the_official_one(official):
    ids = nyu(official).sample_ids
    assert len(ids) == 654
    assert (ids[0], ids[2], ids[-1]) == ("0001", "0009", "1449")


@pytest.mark.parametrize("position", [0, 653])
@pytest.mark.parametrize("field", ["rawDepths", "depths"])
def test_pixels_and_depths_come_back_to_the_last_bit(official, position, field):
    dataset = nyu(official, field=field, crop=None)
    sample, number = dataset[position], int(dataset.sample_ids[position])
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), image_of(number))
    depth = depth_of(number, filled=field == "depths")
    np.testing.assert_array_equal(sample.valid[0, 0], depth < 10)
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(depth < 10, depth, 0))


def test_groups_are_the_official_scene_types(official):
    dataset = nyu(official)
    assert [dataset[i].cluster[0] for i in (0, 653)] == ["kitchen_0004", frames.nyu_scenes()[1449]]
    assert [dataset[i].slice[0] for i in (0, 653)] == [TYPES[0], TYPES[1448 % 3]]


def test_eigens_crop_to_the_pixel(official):
    valid = nyu(official, depth_range=(1e-3, 20.0))[0].valid[0, 0].numpy()
    rows, columns = np.nonzero(valid)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (45, 470, 41, 600)
    assert valid.sum() == 426 * 560 == 238_560


def test_the_camera_is_the_toolboxs_moved_by_half_a_pixel(official):
    intrinsics = nyu(official)[0].intrinsics[0].numpy()
    np.testing.assert_allclose(intrinsics, [[518.8579, 0, 325.0824], [0, 519.4696, 253.2362], [0, 0, 1]], atol=1e-4)


def test_missing_files_are_named_with_the_way_to_them(tmp_path):
    write(tmp_path / "nyu")
    for name in ("splits.mat", "nyu_depth_v2_labeled.mat"):
        (tmp_path / "nyu" / name).unlink()
        message = rf"{name}: expected the official files .*cs\.nyu\.edu.*there is no such file\. Point to their folder"
        with pytest.raises(DataError, match=message):
            len(nyu(tmp_path / "nyu"))


def test_another_split_is_refused(tmp_path):
    for test in (frames.nyu_test()[:-1], (*frames.nyu_test()[:-1], 5)):
        write(tmp_path / "nyu", numbers=(), test=test)
        with pytest.raises(DataError, match=r"splits\.mat: expected the 654 official test images \(testNdxs\), got 65"):
            len(nyu(tmp_path / "nyu"))
    scipy.io.savemat(tmp_path / "nyu" / "splits.mat", {"other": [1]})
    with pytest.raises(DataError, match=r"splits\.mat: expected the official split with testNdxs"):
        len(nyu(tmp_path / "nyu"))


def test_a_damaged_split_is_refused(tmp_path):
    write(tmp_path / "nyu", numbers=())
    content = (tmp_path / "nyu" / "splits.mat").read_bytes()
    for damaged in (content[:200], b"", b"<html>" * 99):
        (tmp_path / "nyu" / "splits.mat").write_bytes(damaged)
        with pytest.raises(
            DataError, match=r"splits\.mat: expected a readable MATLAB file of version 5: .* download it"
        ):
            len(nyu(tmp_path / "nyu"))


def test_damaged_and_foreign_labelled_files_are_refused(tmp_path):
    write(tmp_path / "nyu", numbers=(), n=9)
    with pytest.raises(
        DataError, match=r"labeled\.mat: expected images of shape \(1449, 3, 640, 480\), got \(9, 3, 640"
    ):
        len(nyu(tmp_path / "nyu"))
    (tmp_path / "nyu" / "nyu_depth_v2_labeled.mat").write_bytes(b"MATLAB")
    with pytest.raises(DataError, match=r"labeled\.mat: expected a readable HDF5 file: .* download it again"):
        len(nyu(tmp_path / "nyu"))


def test_damaged_content_names_the_image(official, tmp_path):
    content = (official / "nyu_depth_v2_labeled.mat").read_bytes()
    with h5py.File(official / "nyu_depth_v2_labeled.mat") as file:
        chunk = file["rawDepths"].id.get_chunk_info(0)
    start = chunk.byte_offset + 512
    (tmp_path / "nyu_depth_v2_labeled.mat").write_bytes(
        content[:start] + bytes(chunk.size) + content[start + chunk.size :]
    )
    (tmp_path / "splits.mat").write_bytes((official / "splits.mat").read_bytes())
    with pytest.raises(DataError, match=r"labeled\.mat: image 1 cannot be read: .*; download the file again"):
        nyu(tmp_path)[0]


@pytest.mark.parametrize("crop", [[45, 471, 41], [0, 481, 0, 10], [5, 5, 0, 10], [-1, 5, 0, 10]])
def test_impossible_crops_are_refused(tmp_path, crop):
    with pytest.raises(
        ConfigError, match=r"crop: expected \[top, bottom, left, right\], half-open, within \(480, 640\)"
    ):
        nyu(tmp_path, crop=crop)


def test_an_unknown_ground_truth_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"field: expected rawDepths \(as measured\) or depths \(filled in\), got 'raw'"
    ):
        nyu(tmp_path, field="raw")
