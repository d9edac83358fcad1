import numpy as np
import pytest
import scipy.io

from src.core.errors import DataError
from src.data.sets.ibims import IBims

SIZE = (480, 640)
RNG = np.random.default_rng(0)


def content(**changes):
    masks = {kind: np.zeros(SIZE, np.uint8) for kind in ("wall", "table", "floor")}
    masks["wall"][:100], masks["wall"][100:200], masks["floor"][400:] = 1, 2, 1
    wall = np.array([[9, 9, 9, 9, 1.0, 0, 0, 9], [9, 9, 9, 9, 0, 1.0, 0, 9]])
    floor = np.array([9, 9, 9, 9, 0, 0, 1.0, 9])[None]
    data = {
        "rgb": RNG.integers(0, 256, (*SIZE, 3), np.uint8),
        "depth": RNG.uniform(1, 40, SIZE),
        "edges": (RNG.random(SIZE) < 0.01).astype(np.uint8),
        "calib": np.array([[550.0, 0, 0], [0, 551.0, 0], [320.5, 240.5, 1]]),
        "mask_invalid": (RNG.random(SIZE) < 0.9).astype(np.uint8),
        "mask_transp": (RNG.random(SIZE) < 0.9).astype(np.uint8),
        **{f"mask_{kind}": mask for kind, mask in masks.items()},
        "mask_wall_paras": wall,
        "mask_table_paras": np.zeros((0, 0)),
        "mask_floor_paras": floor,
    }
    return {**data, **changes}


def write(root, files):
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        scipy.io.savemat(root / f"{name}.mat", {"data": data})


def ibims(root, **changes):
    return IBims(
        **{"root": root, "count": 2, "depth_range": (1e-3, 50.0), "valid_range": (0.0, float("inf")), **changes}
    )


@pytest.mark.parametrize("below", ["", "ibims1_core_mat"])
def test_all_annotations_come_back_in_every_form(tmp_path, pack, form, below):
    data = content()
    data["depth"][:3] = 0
    write(tmp_path / "i" / below, {"corridor_01": content(), "lectureroom_07": data})
    dataset = ibims(pack(tmp_path / "i", form))
    assert dataset.sample_ids == ("corridor_01", "lectureroom_07")
    sample = dataset[1]
    np.testing.assert_array_equal(sample.image[0].permute(1, 2, 0), data["rgb"])
    valid = (data["mask_invalid"] == 1) & (data["mask_transp"] == 1) & (data["depth"] > 0)
    np.testing.assert_array_equal(sample.valid[0, 0], valid)
    np.testing.assert_array_equal(sample.depth[0, 0], np.where(valid, data["depth"].astype(np.float32), 0))
    np.testing.assert_array_equal(sample.edges[0, 0], data["edges"] == 1)
    assert sample.intrinsics[0].tolist() == [[550, 0, 320], [0, 551, 240], [0, 0, 1]]
    assert (sample.cluster, sample.slice) == (("",), ("lectureroom",))


def test_planes_are_numbered_through_and_turned_to_opencv_axes(tmp_path):
    write(tmp_path, {"a_1": content(), "b_1": content()})
    sample = ibims(tmp_path)[0]
    assert [int(sample.segments[0, 0, row, 5]) for row in (50, 150, 300, 450)] == [1, 2, 0, 3]
    # right, forward and up of the evaluator are x, z and -y of OpenCV
    assert sample.plane_normals[0].tolist() == [[1, 0, 0], [0, 0, 1], [0, -1, 0]]


def test_an_image_without_planes(tmp_path):
    none = {f"mask_{kind}_paras": np.zeros((0, 0)) for kind in ("wall", "table", "floor")}
    write(tmp_path, {"a_1": content(**none), "b_1": content()})
    sample = ibims(tmp_path)[0]
    assert sample.plane_normals.shape == (1, 0, 3)
    assert not sample.segments.any()


def test_other_files_are_refused_by_name(tmp_path):
    write(tmp_path, {"a_1": {"rgb": np.zeros((4, 4, 3))}, "b_1": content()})
    with pytest.raises(DataError, match=r"a_1\.mat: expected an iBims-1 image with annotations: "):
        ibims(tmp_path)[0]
    (tmp_path / "a_1.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(DataError, match=r"a_1\.mat: expected a readable MATLAB file of version 5: .*truncated"):
        ibims(tmp_path)[0]
    with pytest.raises(DataError, match="expected the 100 images of this split, found 2"):
        len(ibims(tmp_path, count=100))
    with pytest.raises(DataError, match=r"absent: expected iBims-1's ibims1_core_mat\.zip \(mediatum"):
        len(ibims(tmp_path / "absent"))
