import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.sets import frames
from src.data.sets.nyu_png import NYUBTS, NYUMarigold

SETTINGS = {"count": 654, "crop": [45, 471, 41, 601], "depth_range": (1e-3, 10.0)}
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (480, 640, 3), np.uint8)
DEPTH = RNG.integers(0, 12_000, (480, 640), np.uint16)


def write_marigold(folder, shown=1):
    """Empty files but for one image; scenes as in the official list, whose names end in a number."""
    for number in frames.nyu_test():
        scene = folder / "test" / ("kitchen_0004" if number < 700 else "home_office_0003b")
        scene.mkdir(parents=True, exist_ok=True)
        for kind in ("rgb", "depth", "filled"):
            (scene / f"{kind}_{number:04d}.png").touch()
        if number == shown:
            Image.fromarray(RGB).save(scene / f"rgb_{number:04d}.png")
            Image.fromarray(DEPTH).save(scene / f"depth_{number:04d}.png")
    (folder / "train" / "attic").mkdir(parents=True)
    (folder / "train" / "attic" / "rgb_0005.png").touch()


def write_bts(folder, shown=1):
    for number in frames.nyu_test():
        scene = folder / ("kitchen" if number < 700 else "home_office")
        scene.mkdir(parents=True, exist_ok=True)
        (scene / f"rgb_{number - 1:05d}.jpg").touch()
        (scene / f"sync_depth_{number - 1:05d}.png").touch()
        if number == shown:
            Image.new("RGB", (640, 480), (9, 99, 199)).save(scene / f"rgb_{number - 1:05d}.jpg", quality=95)
            Image.fromarray(DEPTH).save(scene / f"sync_depth_{number - 1:05d}.png")


def test_marigolds_bundle_in_every_form(tmp_path, pack, form):
    write_marigold(tmp_path / "nyu", shown=1449)
    dataset = NYUMarigold(root=pack(tmp_path / "nyu", form), **SETTINGS)
    assert dataset.sample_ids == tuple(f"{number:04d}" for number in frames.nyu_test())
    sample = dataset[653]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB)
    expected = np.zeros((480, 640), np.float32)
    expected[45:471, 41:601] = (DEPTH.astype(np.float64) / 1000).astype(np.float32)[45:471, 41:601]
    expected[(DEPTH <= 1) | (DEPTH >= 10_000)] = 0
    np.testing.assert_array_equal(sample.depth[0, 0], expected)
    assert (sample.cluster, sample.slice) == ((frames.nyu_scenes()[1449],), ("home_office",))
    assert sample.intrinsics[0, 0, 0] == pytest.approx(518.8579)


def test_bts_in_every_form(tmp_path, pack, form):
    write_bts(tmp_path / "test")
    dataset = NYUBTS(root=pack(tmp_path / "test", form), **{**SETTINGS, "crop": None})
    assert len(dataset) == 654
    assert dataset.sample_ids[0].startswith("home_office/")
    i = dataset.sample_ids.index("kitchen/00000")
    sample = dataset[i]
    assert (sample.cluster, sample.slice) == (("kitchen_0004",), ("kitchen",))
    np.testing.assert_allclose(sample.image[0, :, 0, 0].int(), [9, 99, 199], atol=3)
    expected = np.where((DEPTH > 1) & (DEPTH < 10_000), (DEPTH / 1000).astype(np.float32), 0)
    np.testing.assert_array_equal(sample.depth[0, 0], expected)


def test_a_split_that_is_not_whole_is_refused(tmp_path):
    write_marigold(tmp_path / "nyu")
    (tmp_path / "nyu" / "test" / "kitchen_0004" / "depth_0002.png").unlink()
    with pytest.raises(
        DataError, match=r"1 of 1308 files are missing, the first: \['test/kitchen_0004/depth_0002\.png'\]"
    ):
        len(NYUMarigold(root=tmp_path / "nyu", **SETTINGS))
    (tmp_path / "nyu" / "test" / "kitchen_0004" / "rgb_0002.png").unlink()
    with pytest.raises(DataError, match=r"expected the 654 images of this split, found 653\. Complete the download"):
        len(NYUMarigold(root=tmp_path / "nyu", **SETTINGS))


def test_a_missing_root_says_what_where_and_how(tmp_path):
    with pytest.raises(
        DataError, match=r"absent: expected Marigold's .*nyu_labeled_extracted\.tar .* data\.root=<folder"
    ):
        len(NYUMarigold(root=tmp_path / "absent", **SETTINGS))
    with pytest.raises(DataError, match=r"absent: expected the test folder of BTS's official_splits"):
        len(NYUBTS(root=tmp_path / "absent", **SETTINGS))


def test_an_empty_picture_names_its_file(tmp_path):
    write_marigold(tmp_path / "nyu")
    with pytest.raises(DataError, match=r"nyu/test/kitchen_0004/rgb_0002\.png: expected a readable image"):
        NYUMarigold(root=tmp_path / "nyu", **SETTINGS)[1]
