"""DDAD's download: poses and calibrations in JSON, laser sweeps in .npz; projected as its authors' package does."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.sets.ddad_scenes import DDADScenes, as_pose, move, project
from src.data.storage.archive import MissingFilesError

SIZE = (20, 30)
SETTINGS = {"camera": "CAMERA_01", "crop": None, "depth_range": (0.0, 250.0)}
INTRINSICS = {"fx": 25.0, "fy": 24.0, "cx": 14.75, "cy": 9.5, "skew": 0.0}
RNG = np.random.default_rng(0)
# a laser 1.5 m above and 1 m behind the camera; both look along x of a world with z up, as cars do
POSES = {
    "CAMERA_01": {
        "translation": {"x": 101.0, "y": 7.0, "z": 1.5},
        "rotation": {"qw": 0.5, "qx": -0.49, "qy": 0.51, "qz": -0.5},
    },
    "LIDAR": {
        "translation": {"x": 100.0, "y": 7.25, "z": 3.0},
        "rotation": {"qw": 0.99, "qx": 0.01, "qy": -0.02, "qz": 0.1},
    },
}


def times(quaternions):
    """Product of quaternions (w, x, y, z), by the table of i, j and k."""
    (a, b, c, d), (e, f, g, h) = quaternions
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def turned(q, v, *, back=False):
    q = np.array(q) / np.linalg.norm(q)
    conjugate = q * (1, -1, -1, -1)
    first, last = (conjugate, q) if back else (q, conjugate)
    return np.array(times((times((first, (0, *v))), last))[1:])


def expected_depth(points):
    """Point by point: to the world, to the camera, to whole pixels; later points cover earlier ones."""
    single = {
        part: {name: np.float32(list(pose[part].values())).astype(float) for name, pose in POSES.items()}
        for part in ("rotation", "translation")
    }
    q, t = single["rotation"], single["translation"]
    depth = np.zeros(SIZE, np.float32)
    for point in points:
        world = turned(q["LIDAR"], point) + t["LIDAR"]
        x, y, z = turned(q["CAMERA_01"], world - t["CAMERA_01"], back=True)
        if z > 0:
            u, v = int(25.0 * x / z + 14.75), int(24.0 * y / z + 9.5)  # int() cuts towards zero
            if 0 <= u < SIZE[1] and 0 <= v < SIZE[0]:
                depth[v, u] = z
    return depth


def sweep(seed):
    points = np.random.default_rng(seed).uniform((-30, -30, -4), (60, 30, 4), (400, 3))
    return np.concatenate([points, np.ones((400, 1))], 1).astype(np.float32)


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


IMAGES = [RNG.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(3)]


def download(top=""):
    """Two validation scenes, of two samples and of one, and a training scene without files, by path."""
    files = {}
    splits = {
        "0": {"filenames": ["000000/scene_0.json"]},
        "1": {"filenames": ["000150/scene_a.json", "000151/scene_b.json"]},
    }
    files["ddad.json"] = json.dumps({"metadata": {"name": "DDAD"}, "scene_splits": splits}).encode()
    number = 0
    for scene, samples in (("000150/scene_a", 2), ("000151/scene_b", 1)):
        folder, data, listed = scene.split("/")[0], [], []
        for k in range(samples):
            time, keys = f"1561645824993653{number}", []
            for name, pose in POSES.items():
                kind, place = "image", f"rgb/{name}/{time}.png"
                if name == "LIDAR":
                    kind, place = "point_cloud", f"point_cloud/{name}/{time}.npz"
                keys.append(f"{name}{k}")
                data.append({"id": {"name": name}, "key": keys[-1], "datum": {kind: {"filename": place, "pose": pose}}})
            listed.append({"id": {"index": str(k)}, "datum_keys": keys[::-1], "calibration_key": "c0ffee"})
            files[f"{folder}/rgb/CAMERA_01/{time}.png"] = png(IMAGES[number])
            files[f"{folder}/point_cloud/LIDAR/{time}.npz"] = npz(data=sweep(number))
            number += 1
        files[f"{scene}.json"] = json.dumps({"data": data, "samples": listed}).encode()
        calibration = {"names": ["LIDAR", "CAMERA_01"], "intrinsics": [{}, INTRINSICS], "extrinsics": []}
        files[f"{folder}/calibration/c0ffee.json"] = json.dumps(calibration).encode()
    return {f"{top}{name}": content for name, content in files.items()}


def write(root, top=""):
    for name, content in download(top).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def ddad(root, **changes):
    return DDADScenes(root=root, **{"count": 3, **SETTINGS, **changes})


@pytest.mark.parametrize("top", ["", "ddad_train_val/"])
def test_validation_samples_come_back_with_projected_sweeps_in_every_form(tmp_path, pack, form, top):
    dataset = ddad(pack(write(tmp_path / "ä ddad", top), form))
    assert dataset.sample_ids == (
        "000150/15616458249936530",
        "000150/15616458249936531",
        "000151/15616458249936532",
    )
    for i in range(3):
        sample = dataset[i]
        np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), IMAGES[i])
        depth = expected_depth(sweep(i)[:, :3].astype(float))
        assert (depth > 0).sum() > 20
        np.testing.assert_allclose(sample.depth[0, 0], depth, rtol=1e-6)
        np.testing.assert_array_equal(sample.valid[0, 0], depth > 0)
    assert dataset[2].cluster == ("000151",)
    assert dataset[0].intrinsics[0].tolist() == [[25.0, 0, 15.25], [0, 24.0, 10.0], [0, 0, 1]]
    assert len(dataset.stamps(1)) == 4


def test_coordinates_lose_their_fraction_and_the_last_point_counts():
    identity = np.array([[10.0, 0, 2.0], [0, 10.0, 1.0], [0, 0, 1.0]])
    points = [
        (0.0, 0.0, 4.0),
        (0.0, 0.0, 9.0),
        (-0.29, 0.0, 1.0),
        (-0.31, 0.0, 1.0),
        (0.0, 0.0, -2.0),
        (0.0, 0.19, 1.0),
    ]
    depth = project(np.array(points), identity, (3, 4))
    expected = np.zeros((3, 4))
    expected[1, 2] = 9.0  # farther than the 4 m before it
    expected[1, 0] = 1.0  # u = -0.9; the point at u = -1.1 is outside
    expected[2, 2] = 1.0  # v = 2.9
    np.testing.assert_array_equal(depth, expected)


def test_poses_undo_one_another():
    camera, laser = (as_pose(POSES[name]) for name in ("CAMERA_01", "LIDAR"))
    points = RNG.normal(size=(9, 3))
    np.testing.assert_allclose(move(move(points, laser, camera), camera, laser), points, atol=1e-12)
    np.testing.assert_allclose(camera[0] @ camera[0].T, np.eye(3), atol=1e-15)


def test_the_crop_is_taken_of_the_image(tmp_path):
    valid = ddad(write(tmp_path), crop=[2, 10, 3, 9])[0].valid[0, 0]
    assert valid.any()
    assert not (valid[:2].any() | valid[10:].any() | valid[:, 9:].any())
    with pytest.raises(ConfigError, match="crop: expected"):
        ddad(tmp_path, crop="other")
    with pytest.raises(ConfigError, match=r"camera: expected one of CAMERA_01, CAMERA_05, .*, got 'front'"):
        ddad(tmp_path, camera="front")


NAMES = {
    "ddad.json": b"{}",
    "000150/scene_a.json": b"[]",
    "000150/calibration/c0ffee.json": b"{",
    "000150/point_cloud/LIDAR/15616458249936530.npz": npz(points=sweep(0)),
    "000150/rgb/CAMERA_01/15616458249936530.png": b"<html>",
}


@pytest.mark.parametrize("fault", ["missing", "cut off", "of another kind"])
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_named(tmp_path, name, fault):
    write(tmp_path)
    content = (tmp_path / name).read_bytes()
    if fault == "missing":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content[: len(content) // 2] if fault == "cut off" else NAMES[name])
    with pytest.raises(DataError, match=re.escape(name)):
        ddad(tmp_path)[0]


def test_a_set_that_is_not_whole_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match="expected the 3950 images of this split, found 3"):
        len(ddad(tmp_path, count=3950))
    gone = "000151/point_cloud/LIDAR/15616458249936532.npz"
    (tmp_path / gone).unlink()
    with pytest.raises(MissingFilesError) as caught:
        len(ddad(tmp_path))
    assert caught.value.names == (gone,)
    with pytest.raises(DataError, match=r"expected DDAD\.tar of 257 GB"):
        len(ddad(tmp_path / "absent"))
