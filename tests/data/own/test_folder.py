import json
import os
import pickle
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.own.folder import Folder
from src.data.storage.cache import DecodedCache

YAML = Path(__file__).parents[3] / "conf" / "data" / "folder.yaml"
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
        "valid_range": None,
        "masks": None,
        "split": None,
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
    assert [dataset[i].cluster for i in range(4)] == [("hall/deep/er",), ("kitchen",), ("kitchen",), ("",)]
    assert [dataset[i].slice for i in range(4)] == [("hall",), ("kitchen",), ("kitchen",), ("",)]


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
        with pytest.raises(
            DataError, match=r"intrinsics: expected 4 or 9 numbers or a file of them \(text, .npy, .json\), got"
        ):
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
    with pytest.raises(DataError, match=r"depth: expected one file for the sample 'a', got .*a\.npy and .*a\.png"):
        len(folder(tmp_path))


def test_missing_and_empty_folders_are_refused(tmp_path, write):
    with pytest.raises(
        DataError,
        match=r"images: expected a folder, a \.zip or \.tar, or a pattern with wildcards, and .*images is none",
    ):
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
    assert dataset[0].slice == ("linked",)


def scatter(root, pairs):
    """Image and map number k where the k-th pair of places says."""
    for k, (image, depth) in enumerate(pairs):
        for place in (image, depth):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], (k, 0, 0)).save(root / image)
        np.save(root / depth, depth_of(k))


@pytest.mark.parametrize(
    ("images", "depth", "pairs", "ids"),
    [
        (
            "shots/*/rgb/*.png", "shots/*/depth/*.npy",
            [("shots/b c/rgb/1.x.png", "shots/b c/depth/1.x.npy"), ("shots/ä/rgb/1.png", "shots/ä/depth/1.npy")],
            ["b c/1.x", "ä/1"],
        ),
        (
            "**/rgb/*.png", "**/depth/*",
            [("rgb/1.png", "depth/1.npy"), ("a/b/rgb/1.png", "a/b/depth/1.npy")],
            ["1", "a/b/1"],
        ),
        ("*_rgb.png", "*_depth.npy", [("7_rgb.png", "7_depth.npy"), ("_rgb.png", "_depth.npy")], ["7", ""]),
        (
            "s??-[0-9]*_rgb.png", "d/s??/[!a-z]*.npy",
            [("s01-7_rgb.png", "d/s01/7.npy"), ("s02-7_rgb.png", "d/s02/7.npy")],
            ["01/7", "02/7"],
        ),
        ("*/view.png", "*/**/z.npy", [("a/view.png", "a/z.npy"), ("b/view.png", "b/z.npy")], ["a", "b"]),
        ("in/**", "out", [("in/x/1.png", "out/x/1.npy"), ("in/2.png", "out/2.npy")], ["x/1", "2"]),
        ("v[1]/*.png", "v[1]", [("v[1]/1.png", "v[1]/1.npy")], None),
    ],
    ids=["scenes", "any depth", "affixes", "runs", "one a folder", "pattern and folder", "brackets in a pattern"],
)  # fmt: skip
def test_patterns_pair_by_what_their_wildcards_stand_for_in_every_form(tmp_path, pack, form, images, depth, pairs, ids):
    scatter(tmp_path / "my files", pairs)
    root = pack(tmp_path / "my files", form)
    root = root if form == "folder" else root.with_suffix(f".{form}")
    dataset = folder(tmp_path, images=root / images, depth=root / depth)
    if ids is None:  # a class of characters, as in a shell: no file of that name
        with pytest.raises(DataError, match=r"images: expected files of type .* that match .*\*\.png, found none"):
            len(dataset)
        return
    assert dataset.sample_ids == tuple(sorted(ids))
    for i, name in enumerate(dataset.sample_ids):
        assert dataset[i].image[0, 0, 0, 0] == ids.index(name)
        np.testing.assert_array_equal(dataset[i].depth[0, 0], depth_of(ids.index(name)))


def test_files_that_a_pattern_names_alike_are_both_shown(tmp_path):
    scatter(tmp_path, [("a/rgb/1.png", "a/depth/1.npy"), ("a/rgb/1.jpg", "a/depth/2.npy")])
    with pytest.raises(DataError, match=r"images: expected one file for the sample 'a/1', got .*1\.jpg and .*1\.png"):
        len(folder(tmp_path, images=tmp_path / "*/rgb/*", depth=tmp_path / "*/depth/*"))


def test_a_pattern_that_cannot_name_its_files_is_refused(tmp_path):
    scatter(tmp_path, [("v1.0a.png", "v1.0a.npy")])
    with pytest.raises(DataError, match=r"expected a pattern that ends with the suffix of its files, got .*v1\.0\*"):
        len(folder(tmp_path, images=tmp_path / "v1.0*", depth=tmp_path / "*.npy"))


def test_whole_archives_and_folders_in_them_are_read_in_place(tmp_path, pack, write):
    write(["Küche/b", "a"])
    Image.new("L", SIZE[::-1], 1).save(tmp_path / "images" / "a.mask.png")
    (tmp_path / "images" / "a.mask.png").rename(tmp_path / "a.png")
    (tmp_path / "x/masks/Küche").mkdir(parents=True)
    (tmp_path / "x/cameras").mkdir()
    for k, name in enumerate(("Küche/b", "a")):
        shutil.copy(tmp_path / "a.png", tmp_path / f"x/masks/{name}.png")
        (tmp_path / "x/cameras" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x/cameras" / f"{name}.txt").write_text(f"50{k} 500 3 2")
    for name, form in (("images", "zip"), ("depth", "tar"), ("x", "zip")):
        shutil.copytree(tmp_path / name, tmp_path / "loose" / name)
        pack(tmp_path / name, form)
    places = {"images": "images.zip", "depth": "depth.tar", "masks": "x.zip/masks", "intrinsics": "x.zip/cameras"}
    packed = folder(tmp_path, **{kind: tmp_path / place for kind, place in places.items()})
    root = tmp_path / "loose"
    loose = folder(root, masks=root / "x/masks", intrinsics=root / "x/cameras")
    assert packed.sample_ids == loose.sample_ids == ("Küche/b", "a")
    for i in range(2):
        for field in ("image", "depth", "valid", "intrinsics"):
            np.testing.assert_array_equal(getattr(packed[i], field), getattr(loose[i], field))
    assert len(packed.stamps(0)) == 4
    sent = pickle.loads(pickle.dumps(packed))  # noqa: S301 (as a decoding process gets it)
    assert sent[1].sample_id == ("a",)


def test_what_is_broken_or_missing_in_an_archive_is_named(tmp_path, pack, write):
    write(["a", "b"])
    (tmp_path / "depth" / "b.npy").write_bytes(b"\x93NUMPY")
    pack(tmp_path / "depth", "zip")
    with pytest.raises(DataError, match=r"depth\.zip/b\.npy: expected a readable \.npy map"):
        folder(tmp_path, depth=tmp_path / "depth.zip")[1]
    with pytest.raises(DataError, match=r"depth: expected files of type .* below .*depth\.zip/none, found none"):
        len(folder(tmp_path, depth=tmp_path / "depth.zip/none"))
    with pytest.raises(
        DataError, match=r"depth: expected a folder, a \.zip or \.tar, or a pattern .*depth\.7z is none"
    ):
        len(folder(tmp_path, depth=tmp_path / "depth.7z"))
    with zipfile.ZipFile(tmp_path / "depth.zip", "w") as archive:
        archive.writestr("../a.npy", b"")
    with pytest.raises(DataError, match=r"depth\.zip: expected names below the root, got '\.\./a\.npy'"):
        len(folder(tmp_path, depth=tmp_path / "depth.zip"))


def test_a_split_file_says_which_samples_count_and_in_which_order(tmp_path, write):
    names = ["a/1", "a/2 #3", "Küche", "rest"]
    write(names)
    (tmp_path / "depth" / "rest.npy").unlink()
    decomposed = unicodedata.normalize("NFD", "Küche")
    (tmp_path / "split.txt").write_text(f"# mine\n\n{decomposed}  # the kitchen\r\na/1\n", encoding="utf-8-sig")
    dataset = folder(tmp_path, split=tmp_path / "split.txt")
    assert dataset.sample_ids == ("Küche", "a/1")
    np.testing.assert_array_equal(dataset[0].depth[0, 0], depth_of(2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n# c\nc\n", r"split: line 3 of .*split\.txt: no file is that of the sample 'c'; expected .* \['a', 'b'\]"),
        ("a\nb\n\na # again\n", r"split: expected each sample once, got 'a' in lines 1 and 4 of .*split\.txt"),
        ("# none\n", r"split: expected sample ids, one a line, and .*split\.txt holds none"),
        (None, r"split: expected a text file of sample ids, one a line: .*split\.txt"),
    ],
    ids=["unknown", "doubled", "empty", "absent"],
)
def test_split_files_that_cannot_be_meant_are_refused(tmp_path, write, text, message):
    write(["a", "b"])
    if text is not None:
        (tmp_path / "split.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        len(folder(tmp_path, split=tmp_path / "split.txt"))


def test_a_sample_of_the_split_without_its_map_is_missing_and_can_be_listed(tmp_path, write):
    write(["a", "b"])
    (tmp_path / "depth" / "b.npy").unlink()
    (tmp_path / "split.txt").write_text("b\na\n")
    with pytest.raises(DataError, match=r"depth: expected one file .* 1 of 2 images have none \['b'\] and 0 of 1"):
        len(folder(tmp_path, split=tmp_path / "split.txt"))
    dataset = folder(tmp_path, split=tmp_path / "split.txt")
    dataset.lists_incomplete = True
    assert dataset.sample_ids == ("b", "a")
    with pytest.raises(DataError, match="depth: expected a file for the sample 'b'"):
        dataset[0]


def test_a_camera_for_each_image_from_text_npy_and_json(tmp_path, write):
    write(["a/1", "a/2", "a/3", "a/4"])
    cameras = tmp_path / "cameras" / "a"
    cameras.mkdir(parents=True)
    rows = [[500, 0, 3.5], [0, 510.5, 2], [0, 0, 1]]
    np.savetxt(cameras / "1.txt", np.array(rows) + np.diag([1, 0, 0]))
    np.save(cameras / "2.npy", np.array(rows) + np.diag([2, 0, 0]))
    (cameras / "3.json").write_text(json.dumps({"cy": 2, "cx": 3.5, "fy": 510.5, "fx": 503, "width": 6}))
    (cameras / "4.json").write_text("[504, 510.5, 3.5, 2]")
    for source in ("cameras", "cameras/**/*"):
        dataset = folder(tmp_path, intrinsics=tmp_path / source)
        for i in range(4):
            assert dataset[i].intrinsics[0].tolist() == [[501 + i, 0, 3.5], *rows[1:]]
    (cameras / "3.json").write_text('{"fx": 500}')
    with pytest.raises(DataError, match=r"intrinsics: expected 4 or 9 numbers .*3\.json: KeyError\('fy'\)"):
        folder(tmp_path, intrinsics=tmp_path / "cameras")[2]
    (cameras / "3.json").write_text("[500, -1, 3, 2]")
    with pytest.raises(DataError, match=r"expected fx fy cx cy, .*\[500\.0, -1\.0, 3\.0, 2\.0\] in .*3\.json"):
        folder(tmp_path, intrinsics=tmp_path / "cameras")[2]
    (cameras / "3.json").unlink()
    with pytest.raises(DataError, match=r"intrinsics: expected one file .* 1 of 4 images have none \['a/3'\]"):
        len(folder(tmp_path, intrinsics=tmp_path / "cameras"))


def test_ground_truth_may_count_in_another_range_than_predictions_are_clipped_to(tmp_path, write):
    write(["a"])
    dataset = folder(tmp_path, valid_range=[2.0, 4.0])
    sample = dataset[0]
    assert sample.depth_range == (0.1, 10.0)
    np.testing.assert_array_equal(sample.valid[0, 0], (depth_of(0) > 2) & (depth_of(0) < 4))
    with pytest.raises(ConfigError, match="valid_range: expected 0 <= nearest < farthest"):
        folder(tmp_path, valid_range=[4.0, 2.0])


def test_the_decoded_cache_sees_a_change_of_each_file(tmp_path, write):
    write(["a"])
    for kind in ("masks", "cameras"):
        (tmp_path / kind).mkdir()
    Image.new("L", SIZE[::-1], 1).save(tmp_path / "masks" / "a.png")
    (tmp_path / "cameras" / "a.txt").write_text("5 5 3 2")

    def cached():
        dataset = folder(tmp_path, masks=tmp_path / "masks", intrinsics=tmp_path / "cameras")
        DecodedCache(tmp_path / "cache").sample(dataset, 0)
        return len(list((tmp_path / "cache").rglob("*.sample")))

    assert [cached(), cached()] == [1, 1]
    for k, place in enumerate(["images/a.png", "depth/a.npy", "masks/a.png", "cameras/a.txt"], start=2):
        os.utime(tmp_path / place, (k, k))
        assert [cached(), cached()] == [k, k]


def test_a_file_that_goes_away_has_no_stamp(tmp_path, write):
    write(["a"])
    dataset = folder(tmp_path)
    assert len(dataset.stamps(0)) == 2
    (tmp_path / "depth" / "a.npy").unlink()
    with pytest.raises(DataError, match=r"a: expected the files that were there at first: .*a\.npy"):
        dataset.stamps(0)


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


def test_one_folder_that_holds_all_images_is_no_cluster(tmp_path, write):
    write(["only/a", "only/b"])
    dataset = folder(tmp_path)
    assert [dataset[i].cluster for i in range(2)] == [("",), ("",)]
