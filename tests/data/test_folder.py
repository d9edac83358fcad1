import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.folder import Folder

YAML = Path(__file__).parents[2] / "conf" / "data" / "folder.yaml"
SIZE = (4, 6)


def depth_of(k):
    return np.random.default_rng(k).uniform(0.5, 9, SIZE).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write(names, suffix=".npy", folder=tmp_path):
        for k, name in enumerate(names):
            image, depth = folder / "images" / f"{name}.png", folder / "depth" / f"{name}{suffix}"
            for path in (image, depth):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1], (k, 0, 0)).save(image)
            if suffix == ".png":
                Image.fromarray((1000 * depth_of(k)).astype(np.uint16)).save(depth)
            else:
                np.save(depth, depth_of(k))

    return write


def folder(root, **changes):
    arguments = {
        "images": root / "images",
        "depth": root / "depth",
        "depth_scale": 1.0,
        "depth_range": (0.1, 10.0),
        "masks": None,
        "intrinsics": None,
        "depth_key": None,
    }
    return Folder(**{**arguments, **changes})


def test_pairs_by_relative_path_in_alphabetical_order(tmp_path, write):
    names = ["kitchen/b", "kitchen/a", "hall/deep/er/x", "top"]
    write(names)
    dataset = folder(tmp_path)
    assert dataset.sample_ids == ("hall/deep/er/x", "kitchen/a", "kitchen/b", "top")
    for i, name in enumerate(dataset.sample_ids):
        sample = dataset[i]
        np.testing.assert_array_equal(sample.depth[0, 0], depth_of(names.index(name)))
        assert sample.image[0, 0, 0, 0] == names.index(name)
    assert [dataset[i].group for i in range(4)] == [("hall",), ("kitchen",), ("kitchen",), ("",)]


def test_names_with_spaces_dots_and_any_script(tmp_path, write):
    names = ["a b", "frame.0001", "Küche/ñandú", "寝室/写真 1", "emoji 🛋"]
    write(names)
    assert folder(tmp_path).sample_ids == tuple(sorted(names))


def test_composed_and_decomposed_names_are_the_same_name(tmp_path, write):
    write(["Küche"])
    image = tmp_path / "images" / "Küche.png"
    image.rename(image.with_name(unicodedata.normalize("NFD", image.name)))
    dataset = folder(tmp_path)
    assert dataset.sample_ids == (unicodedata.normalize("NFC", "Küche"),)
    np.testing.assert_array_equal(dataset[0].depth[0, 0], depth_of(0))


def test_stored_units_times_the_scale_are_metres_rounded_once(tmp_path, write):
    write(["a"], suffix=".png")
    raw = np.asarray(Image.open(tmp_path / "depth" / "a.png"))
    depth = folder(tmp_path, depth_scale=0.001)[0].depth[0, 0].numpy()
    np.testing.assert_array_equal(depth, (raw.astype(np.float64) * 0.001).astype(np.float32))


def test_other_map_formats_and_upper_case_suffixes(tmp_path, write):
    write(["a", "b"])
    np.savez(tmp_path / "depth" / "a.NPZ", metres=depth_of(0), other=depth_of(1))
    (tmp_path / "depth" / "a.npy").unlink()
    (tmp_path / "depth" / "a.NPZ.npz").rename(tmp_path / "depth" / "a.NPZ")
    with pytest.raises(DataError, match=r"a\.NPZ: expected one array, or a key naming one, got \['metres', 'other'\]"):
        folder(tmp_path)[0]
    np.testing.assert_array_equal(folder(tmp_path, depth_key="metres")[0].depth[0, 0], depth_of(0))


def test_what_is_not_measured_or_out_of_range_does_not_count(tmp_path, write):
    write(["a"])
    depth = np.full(SIZE, 5, np.float32)
    depth[0] = [0, -1, np.nan, np.inf, 10, 0.1]
    np.save(tmp_path / "depth" / "a.npy", depth)
    sample = folder(tmp_path)[0]
    assert not sample.valid[0, 0, 0].any()
    assert sample.valid[0, 0, 1:].all()


def test_masks_take_pixels_away(tmp_path, write):
    write(["a", "b"])
    (tmp_path / "masks").mkdir()
    mask = np.zeros(SIZE, np.uint8)
    mask[1, 2:4] = (1, 255)
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    Image.fromarray(mask > 0).save(tmp_path / "masks" / "b.png")
    dataset = folder(tmp_path, masks=tmp_path / "masks")
    for i in range(2):
        np.testing.assert_array_equal(dataset[i].valid[0, 0], mask > 0)


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_masks_of_unclear_meaning_are_refused(tmp_path, write, mode):
    write(["a"])
    (tmp_path / "masks").mkdir()
    Image.new(mode, SIZE[::-1]).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=rf"a\.png: expected a grey mask of the map's .* \(4, 6\), got mode '{mode}'"):
        folder(tmp_path, masks=tmp_path / "masks")[0]


def test_masks_of_another_size_or_damaged_are_refused(tmp_path, write):
    write(["a"])
    (tmp_path / "masks").mkdir()
    Image.new("L", (4, 6)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=r"expected a grey mask of the map's .* \(4, 6\), got mode 'L' and \(6, 4\)"):
        folder(tmp_path, masks=tmp_path / "masks")[0]
    (tmp_path / "masks" / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"a\.png: expected a readable PNG mask"):
        folder(tmp_path, masks=tmp_path / "masks")[0]


@pytest.mark.parametrize(
    "source",
    [
        [500, 510.5, 3.5, 2],
        [[500, 0, 3.5], [0, 510.5, 2], [0, 0, 1]],
        "500 510.5 3.5 2",
        "500, 0, 3.5\n0, 510.5, 2\n0, 0, 1\n",
    ],
    ids=["values", "rows", "file", "file of rows"],
)
def test_intrinsics_from_values_or_a_file(tmp_path, write, source):
    write(["a"])
    if isinstance(source, str):
        (tmp_path / "camera.txt").write_text(source)
        source = tmp_path / "camera.txt"
    intrinsics = folder(tmp_path, intrinsics=source)[0].intrinsics
    assert intrinsics[0].tolist() == [[500, 0, 3.5], [0, 510.5, 2], [0, 0, 1]]
    assert folder(tmp_path)[0].intrinsics is None


@pytest.mark.parametrize(
    "source",
    [[1, 2, 3], [0, 500, 3, 2], [500, -1, 3, 2], [[1, 0, 0], [1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 2]]],
)
def test_impossible_intrinsics_are_refused(tmp_path, source):
    with pytest.raises(DataError, match="intrinsics: expected fx fy cx cy, or the rows fx s cx, 0 fy cy, 0 0 1"):
        folder(tmp_path, intrinsics=source)


def test_unreadable_intrinsics_are_refused(tmp_path):
    (tmp_path / "camera.txt").write_text("fx: 500")
    for source in (tmp_path / "camera.txt", tmp_path / "absent.txt", ["a", 1, 2, 3], [[1, 2], [3]]):
        with pytest.raises(DataError, match="intrinsics: expected 4 or 9 numbers or a text file of them, got"):
            folder(tmp_path, intrinsics=source)


def test_missing_partners_are_counted_and_the_first_are_named(tmp_path, write):
    write([f"{k:02d}" for k in range(9)])
    for k in range(5):
        (tmp_path / "depth" / f"{k:02d}.npy").unlink()
    np.save(tmp_path / "depth" / "extra.npy", depth_of(0))
    message = (
        r"depth: expected one file in .*depth for each image in .*images, .* 5 of 9 images have none "
        r"\['00', '01', '02'\] and 1 of 5 files have no image \['extra'\]"
    )
    with pytest.raises(DataError, match=message):
        len(folder(tmp_path))


def test_a_missing_mask_is_an_error(tmp_path, write):
    write(["a", "b"])
    (tmp_path / "masks").mkdir()
    Image.new("L", SIZE[::-1]).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=r"masks: expected one file .* 1 of 2 images have none \['b'\] and 0 of 1"):
        len(folder(tmp_path, masks=tmp_path / "masks"))


def test_two_files_for_one_name_are_refused(tmp_path, write):
    write(["a"])
    Image.fromarray(np.ones(SIZE, np.uint16)).save(tmp_path / "depth" / "a.png")
    with pytest.raises(DataError, match=r"depth: expected one file per path without suffix, got .*a\.npy and .*a\.png"):
        len(folder(tmp_path))


def test_missing_and_empty_folders_are_refused(tmp_path, write):
    with pytest.raises(DataError, match=r"images: expected a folder, and .*images is none"):
        len(folder(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"images: expected files of type \.png, \.jpg, .* below .*images, found none"):
        len(folder(tmp_path))


def test_hidden_and_foreign_files_are_not_looked_at(tmp_path, write):
    write(["a"])
    (tmp_path / "images" / "._a.png").touch()
    (tmp_path / "depth" / "README.txt").touch()
    assert folder(tmp_path).sample_ids == ("a",)


def test_linked_folders_are_followed(tmp_path, write):
    write(["scene/a"], folder=tmp_path / "elsewhere")
    for name in ("images", "depth"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "linked").symlink_to(tmp_path / "elsewhere" / name / "scene")
    dataset = folder(tmp_path)
    assert dataset.sample_ids == ("linked/a",)
    assert dataset[0].group == ("linked",)


def test_a_map_of_another_size_than_its_image_is_refused_by_name(tmp_path, write):
    write(["a"])
    np.save(tmp_path / "depth" / "a.npy", np.ones((6, 4), np.float32))
    with pytest.raises(DataError, match=r"a: expected image and ground truth of one size, got \(4, 6\) and \(6, 4\)"):
        folder(tmp_path)[0]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_scales_are_refused(tmp_path, scale):
    with pytest.raises(ConfigError, match="depth_scale: expected metres per stored unit, more than 0, got"):
        folder(tmp_path, depth_scale=scale)


def test_the_yaml_builds_it_and_names_what_is_missing(tmp_path, write):
    write(["a"])
    config = OmegaConf.load(YAML)
    for name in ("images", "depth", "depth_scale", "depth_range"):
        with pytest.raises(MissingMandatoryValue, match=name):
            _ = config[name]
    given = {"images": str(tmp_path / "images"), "depth": str(tmp_path / "depth"), "depth_scale": 1.0}
    config = OmegaConf.merge(config, given, {"depth_range": [0.1, 10.0], "intrinsics": [5, 5, 3, 2]})
    assert instantiate(config)[0].intrinsics[0, 0].tolist() == [5, 0, 3]
