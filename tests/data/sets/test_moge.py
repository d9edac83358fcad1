import io
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from src.core.errors import ConfigError, DataError
from src.data.sets.moge import MoGeBenchmark

RNG = np.random.default_rng(0)
SIZE = (40, 60)
RGB = RNG.integers(0, 256, (*SIZE, 3), np.uint8)
STORED = RNG.integers(1, 65535, SIZE, np.uint16)
STORED[0, :4] = (0, 65535, 1, 65534)
LABELS = RNG.integers(0, 4, SIZE, np.uint8)
NEAR, FAR = 0.5, 80.0
FOLDERS = ("room 1/a", "room 1/b", "hâll/c")
CAMERA = [[0.8, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1]]


def png(array, **texts):
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.fromarray(array).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def write(root):
    for folder in FOLDERS:
        path = root / folder
        path.mkdir(parents=True)
        Image.fromarray(RGB).save(path / "image.jpg", quality=95)
        (path / "depth.png").write_bytes(png(STORED, near=str(NEAR), far=str(FAR)))
        (path / "meta.json").write_text(json.dumps({"intrinsics": CAMERA}))
        (path / "segmentation.png").write_bytes(png(LABELS, labels='{"sky":0,"chair":3,"wall":1,"undefined":2}'))
    (root / ".index.txt").write_text("\n".join(FOLDERS) + "\n", encoding="utf-8")
    return root


def benchmark(root, **changes):
    settings = {"count": 3, "family": "nyu", "listing": ".index.txt", "size": [40, 60], "segments": True}
    return MoGeBenchmark(root=root, **{**settings, "depth_range": (0.0, 1e6), **changes})


@pytest.mark.parametrize("below", [".", "NYUv2"])
def test_a_benchmark_in_every_form(tmp_path, pack, form, below):
    write(tmp_path / "NYUv2" / below)
    image = np.array(Image.open(tmp_path / "NYUv2" / below / FOLDERS[1] / "image.jpg"))
    dataset = benchmark(pack(tmp_path / "NYUv2", form))
    assert dataset.sample_ids == FOLDERS
    assert dataset.family == "nyu"
    sample = dataset[1]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), image)
    share = (STORED.astype(np.float64) - 1) / 65533
    depth = NEAR ** (1 - share) * FAR**share
    valid = (STORED > 0) & (STORED < 65535)
    np.testing.assert_array_equal(sample.valid[0, 0], valid)
    np.testing.assert_allclose(sample.depth[0, 0], np.where(valid, depth, 0), rtol=2e-6)
    np.testing.assert_allclose(sample.intrinsics[0], [[48, 0, 30], [0, 48, 20], [0, 0, 1]], rtol=1e-6)
    np.testing.assert_array_equal(sample.segments[0, 0], np.select([LABELS == 1, LABELS == 3], [1, 2], 0))
    assert [dataset[i].cluster[0] for i in range(3)] == ["room 1", "room 1", "hâll"]


def test_the_view_of_the_benchmark_is_shown(tmp_path):
    write(tmp_path)
    sample = benchmark(tmp_path, size=[40, 20], segments=False)[0]
    whole = benchmark(tmp_path)[0]
    np.testing.assert_array_equal(sample.image[0], whole.image[0, :, :, 20:40])
    np.testing.assert_allclose(sample.depth[0], whole.depth[0, :, :, 20:40], rtol=1e-6)
    assert sample.segments is None


def test_what_is_a_thousand_times_as_far_as_the_nearest_hundredth_does_not_count(tmp_path):
    write(tmp_path)
    stored = np.full(SIZE, 1, np.uint16)  # 1 m
    stored[5:, :] = 32767  # about 1000 m, step 32766 of 65533
    stored[0, 0], stored[0, 1] = 32768, 32769
    (tmp_path / FOLDERS[0] / "depth.png").write_bytes(png(stored, near="1", far="1e6", unit="0.5"))
    sample = benchmark(tmp_path)[0]
    assert sample.depth[0, 0, 1, 1] == 0.5
    assert sample.valid[0, 0, 5:].all()
    assert sample.valid[0, 0, 0, :3].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("depth.png", png(STORED), r"depth\.png: expected the texts near and far"),
        ("depth.png", png(STORED, near="0", far="1"), r"with 0 < near <= far, in the PNG, got \{'near': '0'"),
        (
            "depth.png",
            png(STORED[:30], near="1", far="2"),
            r"depth\.png: expected a map of its image's size \(40, 60\)",
        ),
        ("depth.png", png(LABELS, near="1", far="2"), r"depth\.png: expected a grey PNG \(I;16\): got mode 'L'"),
        ("meta.json", b'{"intrinsics": [[1, 0], [0, 1]]}', r"meta\.json: expected intrinsics, three rows"),
        ("meta.json", b'{"intrinsics": [[0, 0, 0], [0, 1, 0], [0, 0, 1]]}', r"meta\.json: expected intrinsics"),
        ("meta.json", b"[]", r"meta\.json: expected intrinsics"),
        ("segmentation.png", png(LABELS), r"segmentation\.png: expected the names of the labels"),
        ("segmentation.png", png(LABELS[:30], labels="{}"), r"segmentation\.png: expected labels of its image's size"),
    ],
)
def test_files_that_say_too_little_are_refused(tmp_path, name, content, match):
    write(tmp_path)
    (tmp_path / FOLDERS[0] / name).write_bytes(content)
    with pytest.raises(DataError, match=match):
        benchmark(tmp_path)[0]


def test_a_set_that_is_not_whole_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match="expected the 654 images of this split, found 3"):
        len(benchmark(tmp_path, count=654))
    (tmp_path / FOLDERS[2] / "meta.json").unlink()
    with pytest.raises(DataError, match=r"1 of 12 files are missing, the first: \['hâll/c/meta\.json'\]"):
        len(benchmark(tmp_path))
    with pytest.raises(ConfigError, match=r"size: expected \[height, width\]"):
        benchmark(tmp_path, size=[40])
