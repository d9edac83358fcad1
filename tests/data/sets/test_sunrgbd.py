import numpy as np
import pytest
import scipy.io
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets.sunrgbd import SUNRGBD, rotate

RNG = np.random.default_rng(0)
FRAMES = {"kv2/kinect2data/000065_x/": (5, 8), "xtion/sun3ddata/a b/harvard/c1": (6, 7)}
MILLIMETRES = {frame: RNG.integers(0, 9000, size).astype(np.uint16) for frame, size in FRAMES.items()}


def rotated_left(values):
    """What the official files hold, bit by bit."""
    return np.array([[int(f"{v:016b}"[3:] + f"{v:016b}"[:3], 2) for v in row] for row in values.tolist()], np.uint16)


def write(root, split=FRAMES):
    for frame, size in FRAMES.items():
        folder = root / "SUNRGBD" / frame
        for name in ("image", "depth", "depth_bfx"):
            (folder / name).mkdir(parents=True)
        Image.new("RGB", size[::-1], (9, 99, 199)).save(folder / "image" / "0000065.jpg", quality=95)
        Image.fromarray(rotated_left(MILLIMETRES[frame])).save(folder / "depth_bfx" / "0000065_abs.png")
        Image.fromarray(rotated_left(MILLIMETRES[frame] // 2)).save(folder / "depth" / "0000065.png")
        (folder / "intrinsics.txt").write_text("529.5 0 365.0 \n0 529.5 265.0 \n0 0 1 \n")
    cells = np.empty((1, len(split)), object)
    cells[0] = [f"/n/fs/sun3d/data/SUNRGBD/{frame}" for frame in split]
    (root / "SUNRGBDtoolbox/traintestSUNRGBD").mkdir(parents=True)
    scipy.io.savemat(
        root / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", {"alltest": cells, "alltrain": cells[:, :1]}
    )


def sunrgbd(root, **changes):
    return SUNRGBD(**{"root": root, "count": 2, "depth": "depth_bfx", "depth_range": (1e-3, 8.0), **changes})


@pytest.mark.parametrize("depth", ["depth_bfx", "depth"])
def test_the_split_in_every_form(tmp_path, pack, form, depth):
    write(tmp_path / "s")
    dataset = sunrgbd(pack(tmp_path / "s", form), depth=depth)
    assert dataset.sample_ids == ("kv2/kinect2data/000065_x", "xtion/sun3ddata/a b/harvard/c1")
    for sample, values in zip(dataset, MILLIMETRES.values(), strict=False):
        whole = values if depth == "depth_bfx" else values // 2
        expected = np.where((whole > 1) & (whole < 8000), (whole / 1000).astype(np.float32), 0)
        np.testing.assert_array_equal(sample.depth[0, 0], expected)
    assert [one.cluster[0] for one in dataset] == ["", "a b"], "only of SUN3D's recordings the place is known"
    assert dataset[1].slice == ("xtion",)
    assert dataset[1].intrinsics[0].tolist() == [[529.5, 0, 364.5], [0, 529.5, 264.5], [0, 0, 1]]


def test_every_value_of_16_bits_is_rotated_back():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(rotate(rotated_left(values).astype(np.float32)), values)


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "SUNRGBD" / "xtion/sun3ddata/a b/harvard/c1/depth_bfx/0000065_abs.png").unlink()
    with pytest.raises(
        DataError, match=r"1 of 6 files are missing, the first: \['SUNRGBD/xtion/.*/depth_bfx/\*\.png'\]"
    ):
        len(sunrgbd(tmp_path))
    with pytest.raises(DataError, match="expected the 5050 images of this split, found 2"):
        len(sunrgbd(tmp_path, count=5050))
    scipy.io.savemat(tmp_path / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", {"x": 1})
    with pytest.raises(DataError, match=r"allsplit\.mat: expected the official split with alltest"):
        len(sunrgbd(tmp_path))
    with pytest.raises(
        ConfigError, match=r"depth: expected depth_bfx \(holes filled\) or depth \(as measured\), got 'raw'"
    ):
        sunrgbd(tmp_path, depth="raw")


def test_a_damaged_camera_is_refused_by_name(tmp_path):
    write(tmp_path)
    (tmp_path / "SUNRGBD" / "kv2/kinect2data/000065_x/intrinsics.txt").write_text("1 2 3")
    with pytest.raises(DataError, match=r"000065_x/intrinsics\.txt: expected 9 numbers"):
        sunrgbd(tmp_path)[0]
