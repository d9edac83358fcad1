import re

import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.core.prediction import OutputSpace
from src.model.families.saved import Saved


@pytest.fixture
def saved(tmp_path):
    def build(**changes):
        settings = {"folder": str(tmp_path), "space": "metric_depth", "key": None, "scale": 1.0, "resize": "none"}
        model = Saved(**{**settings, **changes})
        model.configure_model()
        return model

    return build


@pytest.fixture
def depth():
    return np.random.default_rng(0).uniform(1, 9, (6, 8)).astype(np.float32)


def image(count=1, height=6, width=8):
    return torch.zeros(count, 3, height, width, dtype=torch.uint8)


def write_exr(path, channels):
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(str(path))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".exr", ".png"])
def test_every_format_is_found_by_the_name_of_the_image(saved, depth, tmp_path, suffix):
    path = tmp_path / "scene.1" / f"view.left{suffix}"
    path.parent.mkdir()
    scale = 1.0
    match suffix:
        case ".npy":
            np.save(path, depth)
        case ".npz":
            np.savez(path, depth=depth)
        case ".exr":
            write_exr(path, {"Z": depth})
        case ".png":
            scale = 0.001
            Image.fromarray((depth * 1000).round().astype(np.uint16)).save(path)
    values = saved(scale=scale).infer(image(), ("scene.1/view.left",))
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values[0, 0], depth, atol=0.0006 if suffix == ".png" else 0)


def test_a_batch_is_read_in_its_order(saved, depth, tmp_path):
    np.save(tmp_path / "a.npy", depth)
    np.save(tmp_path / "b.npy", depth + 1)
    values = saved().infer(image(2), ("b", "a"))
    np.testing.assert_array_equal(values[:, 0], np.stack([depth + 1, depth]))


def test_a_key_chooses_among_several_maps(saved, depth, tmp_path):
    np.savez(tmp_path / "a.npz", depth=depth, confidence=depth * 0)
    np.testing.assert_array_equal(saved(key="depth").infer(image(), ("a",))[0, 0], depth)
    with pytest.raises(DataError, match="expected one array, or a key naming one"):
        saved().infer(image(), ("a",))


def test_the_space_is_the_declared_one(saved):
    assert saved(space="affine_disparity").space is OutputSpace.AFFINE_DISPARITY
    with pytest.raises(ConfigError, match="expected an output space"):
        saved(space="inverse")


def test_a_missing_prediction_names_the_image_and_the_paths(saved, tmp_path):
    paths = ", ".join(str(tmp_path / f"a/b{suffix}") for suffix in (".npy", ".npz", ".png", ".exr"))
    with pytest.raises(DataError, match=re.escape(f"no prediction for sample 'a/b': expected one of {paths}")):
        saved().infer(image(), ("a/b",))


def test_two_predictions_of_one_image_are_refused(saved, depth, tmp_path):
    np.save(tmp_path / "a.npy", depth)
    np.savez(tmp_path / "a.npz", depth)
    with pytest.raises(DataError, match=r"sample 'a' has several predictions: .*a\.npy, .*a\.npz; keep one"):
        saved().infer(image(), ("a",))


def test_a_missing_folder_is_reported(saved, tmp_path):
    with pytest.raises(DataError, match="expected a folder of predictions"):
        saved(folder=str(tmp_path / "nowhere"))


def test_another_size_needs_a_rule(saved, depth, tmp_path, bilinear, bicubic):
    np.save(tmp_path / "a.npy", depth)
    with pytest.raises(DataError, match=r"expected the image's 12 x 20 pixels, got 6 x 8; set model\.resize"):
        saved().infer(image(1, 12, 20), ("a",))
    expected = {
        "bilinear": bilinear(depth, (12, 20), align_corners=False),
        "bilinear_aligned": bilinear(depth, (12, 20), align_corners=True),
        "bicubic": bicubic(depth, (12, 20)),
    }
    for rule, values in expected.items():
        np.testing.assert_allclose(saved(resize=rule).infer(image(1, 12, 20), ("a",))[0, 0], values, atol=1e-5)


def test_an_unknown_rule_is_refused(saved):
    with pytest.raises(
        ConfigError, match="expected resize to be none, bilinear, bilinear_aligned, bicubic, got 'area'"
    ):
        saved(resize="area")


def test_what_is_not_finite_stays_so(saved, depth, tmp_path):
    depth[2, 3] = np.nan
    depth[4, 5] = np.inf
    np.save(tmp_path / "a.npy", depth)
    np.testing.assert_array_equal(saved().infer(image(), ("a",))[0, 0], depth)


def test_the_folder_is_recorded(saved, tmp_path):
    assert saved().provenance.weights == str(tmp_path)
    assert saved().input_size((6, 8)) == (6, 8)
