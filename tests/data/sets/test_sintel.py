import struct

import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets.sintel import Sintel

SIZE = (4, 7)
RNG = np.random.default_rng(0)
NAMES = ("alley_1/frame_0001", "alley_1/frame_0002", "cave_2/frame_0001")
RGB = {kind: RNG.integers(0, 256, (*SIZE, 3), np.uint8) for kind in ("final", "clean")}
DEPTH = RNG.uniform(0.2, 100, SIZE).astype("<f4")


def write(root, cameras=True):
    for name in NAMES:
        for kind, suffix in (("final", "png"), ("clean", "png"), ("depth", "dpt"), ("camdata_left", "cam")):
            path = root / kind / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == "png":
                Image.fromarray(RGB[kind]).save(path)
            elif suffix == "dpt":
                path.write_bytes(struct.pack("<fii", 202021.25, *SIZE[::-1]) + DEPTH.tobytes())
            elif cameras:
                matrix = [1120.0, 0, 511.5, 0, 1120.0, 217.5, 0, 0, 1]
                path.write_bytes(struct.pack("<f21d", 202021.25, *matrix, *range(12)))


def sintel(root, **changes):
    return Sintel(**{"root": root, "count": 3, "rendering": "final", "depth_range": (1e-3, 72.0), **changes})


@pytest.mark.parametrize("below", ["", "training"])
@pytest.mark.parametrize("rendering", ["final", "clean"])
def test_frames_come_back_to_the_last_bit_in_every_form(tmp_path, pack, form, below, rendering):
    write(tmp_path / "s" / below)
    dataset = sintel(pack(tmp_path / "s", form), rendering=rendering)
    assert dataset.sample_ids == NAMES
    sample = dataset[2]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), RGB[rendering])
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(DEPTH < 72, DEPTH, 0))
    assert sample.intrinsics[0].tolist() == [[1120, 0, 512], [0, 1120, 218], [0, 0, 1]]
    assert sample.cluster == ("cave_2",)


def test_cameras_may_be_left_out(tmp_path):
    write(tmp_path, cameras=False)
    assert sintel(tmp_path)[0].intrinsics is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PIEH" + bytes(8),
        struct.pack("<fii", 1.0, 7, 4) + DEPTH.tobytes(),
        struct.pack("<fii", 202021.25, 7, 5) + DEPTH.tobytes(),
    ],
    ids=["empty", "flow", "tag", "size"],
)
def test_other_files_are_refused_by_name(tmp_path, content):
    write(tmp_path)
    (tmp_path / "depth" / f"{NAMES[0]}.dpt").write_bytes(content)
    with pytest.raises(DataError, match=r"alley_1/frame_0001\.dpt: expected a readable \.dpt map"):
        sintel(tmp_path)[0]


def test_a_damaged_camera_is_refused_by_name(tmp_path):
    write(tmp_path)
    (tmp_path / "camdata_left" / f"{NAMES[0]}.cam").write_bytes(bytes(172))
    with pytest.raises(DataError, match=r"alley_1/frame_0001\.cam: expected a Sintel camera"):
        sintel(tmp_path)[0]


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "final" / f"{NAMES[1]}.png").unlink()
    with pytest.raises(DataError, match=r"1 of 6 files are missing, the first: \['final/alley_1/frame_0002\.png'\]"):
        len(sintel(tmp_path))
    with pytest.raises(DataError, match="expected the 1064 images of this split, found 3"):
        len(sintel(tmp_path, count=1064))
    with pytest.raises(ConfigError, match="rendering: expected one of final, clean, got 'albedo'"):
        sintel(tmp_path, rendering="albedo")
