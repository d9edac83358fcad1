import numpy as np
import pytest
from PIL import Image

from src.core.errors import DataError
from src.data.sets.eth3d import ETH3D, read_bare
from src.data.storage.archive import MissingFilesError, open_tree

SETTINGS = {"depth_range": (1e-5, float("inf"))}


def paths(root, layout, scene, name):
    image, depth = f"{scene}/images/dslr_images/{name}.JPG", f"{scene}/ground_truth_depth/dslr_images/{name}.JPG"
    return (
        (root / "rgb" / image, root / f"depth/{scene}_dslr_depth" / depth)
        if layout == "bundle"
        else (root / image, root / depth)
    )


def write(root, layout, shown=None):
    for scene, name in (("relief_2", "DSC_0001"), ("office", "DSC_0220"), ("office", "DSC_0219")):
        for path in paths(root, layout, scene, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    extra = paths(root, layout, "office", "DSC_0999")[0]  # seen, but not scanned
    extra.touch()


@pytest.mark.parametrize("layout", ["bundle", "official"])
def test_pairs_in_both_layouts_and_every_form(tmp_path, pack, form, layout):
    write(tmp_path / "eth3d", layout)
    dataset = ETH3D(root=pack(tmp_path / "eth3d", form), count=3, **SETTINGS)
    assert dataset.sample_ids == ("office/DSC_0219", "office/DSC_0220", "relief_2/DSC_0001")
    expected = [
        str(path.relative_to(tmp_path / "eth3d")) for path in paths(tmp_path / "eth3d", layout, "relief_2", "DSC_0001")
    ]
    assert list(dataset.files["relief_2/DSC_0001"]) == expected


@pytest.mark.slow
def test_a_full_frame_comes_back_to_the_last_bit(tmp_path):
    write(tmp_path, "bundle")
    image, depth = paths(tmp_path, "bundle", "office", "DSC_0219")
    exif = Image.Exif()
    exif[0x0112] = 6  # says to be shown rotated; the ground truth lies on the stored pixels
    Image.new("RGB", (6048, 4032), (9, 9, 9)).save(image, exif=exif)
    values = np.random.default_rng(0).uniform(0.1, 300, (4032, 6048)).astype("<f4")
    values[::7] = np.inf
    depth.write_bytes(values.tobytes())
    sample = ETH3D(root=tmp_path, count=3, **SETTINGS)[0]
    assert sample.size == (4032, 6048)
    np.testing.assert_array_equal(sample.valid[0, 0], np.isfinite(values))
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(np.isfinite(values), values, 0))
    assert (sample.cluster, sample.slice, sample.intrinsics) == (("office",), ("indoor",), None)


def test_a_bare_map_is_little_endian_and_row_by_row(tmp_path):
    (tmp_path / "map").write_bytes(b"\x00\x00\x80\x3f\x00\x00\x80\x7f\x00\x00\x00\x40" * 2)
    depth = read_bare(open_tree(tmp_path, origin=""), "map", (2, 3))
    np.testing.assert_array_equal(depth, np.array([[1, np.inf, 2], [1, np.inf, 2]], np.float32))


def test_a_map_of_another_length_is_refused_by_name(tmp_path):
    write(tmp_path, "official")
    image, depth = paths(tmp_path, "official", "office", "DSC_0219")
    Image.new("RGB", (6, 4)).save(image)
    depth.write_bytes(bytes(100))
    with pytest.raises(
        DataError, match=r"DSC_0219\.JPG: expected a bare float32 map of \(4032, 6048\) .*, got 100; down"
    ):
        ETH3D(root=tmp_path, count=3, **SETTINGS)[0]


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path, "official")
    with pytest.raises(DataError, match="expected the 454 images of this split, found 4"):
        len(ETH3D(root=tmp_path, count=454, **SETTINGS))
    depth = paths(tmp_path, "official", "office", "DSC_0219")[1]
    depth.unlink()
    with pytest.raises(MissingFilesError, match=r"found 2\. Of images .* missing: 2, the") as caught:
        len(ETH3D(root=tmp_path, count=3, **SETTINGS))  # an image without depth may be one that was never scanned
    never = str(depth.relative_to(tmp_path)).replace("0219", "0999")
    assert caught.value.names == (str(depth.relative_to(tmp_path)), never)
    depth.touch()
    paths(tmp_path, "official", "office", "DSC_0220")[0].unlink()
    with pytest.raises(DataError, match=r"1 of 6 files are missing, the first: \['office/images/dslr_images/DSC_0220"):
        len(ETH3D(root=tmp_path, count=3, **SETTINGS))
    with pytest.raises(DataError, match=r"absent: expected ETH3D's training images and depth.*eth3d\.net/datasets"):
        len(ETH3D(root=tmp_path / "absent", count=454, **SETTINGS))
