"""Depth Anything 3 on a stand-in for its package: what the network is given, its weights, its metres."""

import sys
import types

import pytest
import torch
from safetensors.torch import save_file

from src.core.errors import CheckpointError, PredictionError
from src.core.resize import IMAGENET_MEAN, IMAGENET_STD, normalise, to_unit_range
from src.core.sample import Sample
from src.model.families.depth_anything_3 import DepthAnything3


class Net(torch.nn.Module):
    """Takes (1, 1, 3, h, w), as the package's networks do for one view, and returns a dict."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1, 1), 2.0))
        self.seen = []

    def forward(self, image):
        self.seen.append(image)
        return {"depth": self.weight * image.mean(2), "depth_conf": image[:, :, 0]}


@pytest.fixture
def package(monkeypatch):
    cfg, registry = types.ModuleType("depth_anything_3.cfg"), types.ModuleType("depth_anything_3.registry")
    cfg.load_config, cfg.create_object = (lambda path: path), (lambda _: Net())
    registry.MODEL_REGISTRY = {"da3-tiny": "tiny.yaml"}
    for module in (types.ModuleType("depth_anything_3"), cfg, registry):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def model(**changes):
    settings = {
        "weights": "random", "revision": None, "network_name": "da3-tiny", "space": "affine_depth",
        "needs_camera": False, "longer_side": 504, "resolution": "native", "seed": 0,
    }  # fmt: skip
    return DepthAnything3(**{**settings, **changes})


def sample(images, intrinsics=None):
    depth = torch.ones(len(images), 1, *images.shape[-2:])
    names = tuple("abc"[: len(images)])
    return Sample(
        image=images, depth=depth, valid=depth > 0, depth_range=(0.1, 10.0), sample_id=names, intrinsics=intrinsics,
        index=tuple(range(len(images))), cluster=("",) * len(images), slice=("",) * len(images),
    )  # fmt: skip


def test_each_image_goes_alone_and_normalised(package, images):
    found = model()
    found.configure_model()
    pictures = images(2, 28, 42)
    values = found.predict(sample(pictures)).values
    assert [tuple(one.shape) for one in found.network.seen] == [(1, 1, 3, 28, 42)] * 2
    pixels = normalise(to_unit_range(pictures), IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(torch.cat(found.network.seen)[:, 0], pixels)
    torch.testing.assert_close(values, found.network.weight.item() * pixels.mean(1, keepdim=True))


@pytest.mark.parametrize(
    ("resolution", "size", "seen"),
    [("default", (480, 640), (378, 504)), ("default", (375, 1242), (154, 504)), ("default", (600, 333), (504, 280)),
     ("native", (480, 640), (476, 644)), (280, (480, 640), (210, 280))],
)  # fmt: skip
def test_sizes_are_those_of_the_package(resolution, size, seen):
    assert model(resolution=resolution).input_size(size) == seen


def test_a_checkpoint_is_read_strictly_and_only_into_its_own_network(package, tmp_path):
    save_file({"model.weight": torch.full((1, 1), 3.0)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_name": "da3-tiny"}')
    found = model(weights=str(tmp_path))
    found.configure_model()
    assert found.network.weight.item() == 3
    assert found.provenance.revision.startswith("sha256:")

    (tmp_path / "config.json").write_text('{"model_name": "da3-giant"}')
    with pytest.raises(CheckpointError, match='expected weights of da3-tiny, got those of "da3-giant"'):
        model(weights=str(tmp_path)).configure_model()
    (tmp_path / "config.json").write_text("{}")
    save_file({"model.other": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="keys missing: weight"):
        model(weights=str(tmp_path)).configure_model()


def test_metres_come_from_the_focal_length_of_what_the_network_sees(package, images):
    found = model(space="metric_depth", needs_camera=True, resolution="native")
    found.configure_model()
    pictures = images(1, 28, 42)
    camera = torch.tensor([[[600.0, 0, 21], [0, 300.0, 14], [0, 0, 1]]])
    plain = model()
    plain.configure_model()
    relative = plain.predict(sample(pictures)).values
    metres = found.predict(sample(pictures, camera)).values
    torch.testing.assert_close(metres, relative * (450 / 300))
    with pytest.raises(PredictionError, match=r"expected data with cameras, .+ 'a' has none"):
        found.predict(sample(pictures))
    with pytest.raises(PredictionError, match="metric only with its camera"):
        found.infer(pictures, ("a",))


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "depth_anything_3", None)
    with pytest.raises(
        CheckpointError, match=r"its package is not complete .+pip install --no-deps depth-anything-3 &&"
    ):
        model().configure_model()
