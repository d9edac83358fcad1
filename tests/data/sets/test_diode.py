import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets.diode import DIODE

NAMES = {
    "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010": 1,
    "indoors/scene_00021/scan_00192/00021_00192_indoors_000_010": 2,
    "outdoor/scene_00022/scan_00193/00022_00193_outdoor_000_010": 3,
}
SIZE = (96, 128)  # an eighth of the real one, on which nothing depends


def parts(k):
    rng = np.random.default_rng(k)
    depth = rng.uniform(0.1, 400, (*SIZE, 1)).astype(np.float32)
    depth[0] = 0
    return rng.integers(0, 256, (*SIZE, 3), np.uint8), depth, (rng.random(SIZE) < 0.9).astype(np.float64)


def write(root, names=NAMES):
    for name, k in names.items():
        image, depth, mask = parts(k)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / f"{name}.png", compress_level=1)
        np.save(root / f"{name}_depth.npy", depth)
        np.save(root / f"{name}_depth_mask.npy", mask)


def diode(root, **changes):
    ranges = {"depth_range": (0.6, 350.0), "valid_range": (0.0, float("inf"))}
    return DIODE(
        **{"root": root, "count": 3, "places": ["indoors", "outdoor"], "mask": True, "crop": None, **ranges, **changes}
    )


@pytest.mark.parametrize("below", ["", "val"])
def test_the_split_in_every_form(tmp_path, pack, form, below):
    write(tmp_path / "d" / below)
    dataset = diode(pack(tmp_path / "d", form))
    assert dataset.sample_ids == tuple(NAMES)
    image, depth, mask = parts(3)
    sample = dataset[2]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), image)
    valid = (mask == 1) & (depth[..., 0] > 0)
    np.testing.assert_array_equal(sample.valid[0, 0], valid)
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(valid, depth[..., 0], 0))
    assert sample.depth.max() > 350
    assert sample.depth_range == (0.6, 350.0)
    assert [dataset[i].cluster[0] for i in range(3)] == ["/".join(name.split("/")[1:3]) for name in NAMES]
    assert [dataset[i].slice[0] for i in (0, 2)] == ["indoors", "outdoor"]


@pytest.mark.parametrize(("places", "count"), [(["indoors"], 2), (["outdoor"], 1)])
def test_indoors_and_outdoors_apart(tmp_path, places, count):
    write(tmp_path)
    assert {name.split("/")[0] for name in diode(tmp_path, places=places, count=count).sample_ids} == set(places)


def test_masks_of_another_size_or_kind_are_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / f"{next(iter(NAMES))}_depth_mask.npy"
    for mask in (np.ones((4, 6)), np.full(SIZE, 255)):
        np.save(path, mask)
        with pytest.raises(DataError, match=r"010_depth_mask\.npy: expected a mask of zeros and ones of \(96, 128\)"):
            diode(tmp_path)[0]


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / f"{next(iter(NAMES))}_depth_mask.npy").unlink()
    with pytest.raises(
        DataError, match=r"1 of 9 files are missing, the first: .*00019_00183_indoors_000_010_depth_mask"
    ):
        len(diode(tmp_path))
    with pytest.raises(DataError, match="expected the 771 images of this split, found 3"):
        len(diode(tmp_path, count=771))
    with pytest.raises(DataError, match=r"absent: expected DIODE's validation images and depth.*diode-dataset\.org"):
        len(diode(tmp_path / "absent"))


def test_unknown_places_are_refused(tmp_path):
    for places in ([], ["outdoors"]):
        with pytest.raises(ConfigError, match="places: expected one or both of indoors, outdoor, got"):
            diode(tmp_path, places=places)
