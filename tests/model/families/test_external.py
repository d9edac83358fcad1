"""A made-up package and a made-up repository with a hubconf.py, called as their authors would call them."""

import numpy as np
import pytest
import torch

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.model.families.external import External, TorchHub

PACKAGE = '''
import torch

class Net(torch.nn.Module):
    """Depth is the sum of the channels times a weight; returns what it is told to."""

    def __init__(self, weight=1.0, returns="dict"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(float(weight)))
        self.returns = returns
        self.seen = []

    @classmethod
    def from_pretrained(cls, name, **kwargs):
        assert name == "me/net"
        return cls(**kwargs)

    def infer(self, rgb, intrinsics=None, offset=0.0):
        self.seen.append((rgb, intrinsics))
        depth = self.weight * rgb.float().sum(1) + offset
        points = torch.stack([depth * 0 + 7, depth * 0 + 8, depth], -1)
        return {
            "dict": {"depth": depth[:, None], "points": points, "channels_first": points.permute(0, 3, 1, 2)},
            "tuple": (None, depth),
            "array": depth[0].detach().numpy(),
            "small": depth[:, ::2],
            "whole": rgb.sum(1).to(torch.int64),
        }[self.returns]

    forward = infer

def broken():
    raise RuntimeError("no CUDA")
'''


@pytest.fixture
def external(tmp_path, monkeypatch):
    (tmp_path / "fakedepth").mkdir()
    (tmp_path / "fakedepth" / "model.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def build(cls=External, load=True, **changes):
        settings = {
            "factory": "fakedepth.model:Net.from_pretrained",
            "arguments": {"name": "me/net", "weight": 2.0},
            "call": "infer",
            "options": {},
            "space": "scale_invariant_depth",
            "mean": None,
            "std": None,
            "target_size": None,
            "bound": "lower",
            "multiple": 1,
            "interpolation": "bicubic",
            "resolution": "default",
            "together": False,
            "output": "depth",
            "camera": None,
            "camera_as": "matrix",
        }
        model = cls(**{**settings, **changes})
        if load:
            model.configure_model()
        return model

    return build


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "someone_depth_main"
    folder.mkdir()
    (folder / "hubconf.py").write_text("dependencies = ['torch']\nfrom fakedepth.model import Net as net\n")
    return folder


def sample_of(image, intrinsics=None):
    b, _, h, w = image.shape
    return Sample(
        image=image,
        depth=torch.ones(b, 1, h, w),
        valid=torch.ones(b, 1, h, w, dtype=torch.bool),
        depth_range=(0.1, 10.0),
        sample_id=tuple(f"image {i}" for i in range(b)),
        index=tuple(range(b)),
        cluster=("",) * b,
        slice=("",) * b,
        intrinsics=intrinsics,
    )


@pytest.mark.parametrize("together", [False, True])
def test_an_installed_package_is_called_with_bytes(external, images, together):
    model = external(together=together)
    batch = images(3, 8, 10)
    with torch.inference_mode():
        depth = model.infer(batch, ("a", "b", "c"))
    torch.testing.assert_close(depth, 2 * batch.float().sum(1, keepdim=True))
    assert [len(rgb) for rgb, _ in model.network.seen] == ([3] if together else [1, 1, 1])
    assert model.network.seen[0][0].dtype == torch.uint8
    assert model.space is OutputSpace.SCALE_INVARIANT_DEPTH
    assert model.provenance.weights == "fakedepth.model:Net.from_pretrained"
    assert model.provenance.parameters == 1
    assert model.provenance.revision.startswith("sha256:")
    assert model.provenance.revision != external(arguments={"name": "me/net"}).provenance.revision


@pytest.mark.parametrize(
    ("returns", "output"),
    [("dict", "depth"), ("dict", "points"), ("dict", "channels_first"), ("tuple", 1), ("array", None)],
)
def test_every_usual_form_of_output_is_understood(external, images, returns, output):
    arguments = {"name": "me/net", "returns": returns}
    model = external(arguments=arguments, output=output, options={"offset": 5.0})
    image = images(2, 8, 10)
    with torch.inference_mode():
        torch.testing.assert_close(model.infer(image, ("a", "b")), image.float().sum(1, keepdim=True) + 5)


def test_size_rule_and_normalisation_are_the_declared_ones(external, images, bicubic, bilinear):
    model = external(mean=[0.5] * 3, std=[0.25] * 3, target_size=[32, 32], multiple=16, call=None)
    image = images(1, 20, 50)
    with torch.inference_mode():
        depth = model.infer(image, ("a",))
    assert model.input_size((20, 50)) == (32, 80)
    [(seen, _)] = model.network.seen
    np.testing.assert_allclose(seen, (bicubic(image.numpy() / 255, (32, 80)) - 0.5) / 0.25, atol=1e-4)
    expected = bilinear(2 * seen.sum(1, keepdim=True).numpy(), (20, 50), align_corners=False)
    np.testing.assert_allclose(depth, expected, atol=1e-4)
    assert external(resolution=48, multiple=16).input_size((20, 50)) == (48, 128)


def test_the_true_camera_is_given_in_pixels_of_what_the_network_sees(external, images):
    model = external(camera="intrinsics", target_size=[40, 40])
    camera = torch.tensor([[[10.0, 0, 25], [0, 12, 10], [0, 0, 1]]])
    with torch.inference_mode():
        model.predict(sample_of(images(1, 20, 50), camera))
    expected = torch.tensor([[[20.0, 0, 50], [0, 24, 20], [0, 0, 1]]])
    torch.testing.assert_close(model.network.seen[0][1], expected)
    with pytest.raises(PredictionError, match=r"'image 0' has no intrinsics; set model\.camera=null"):
        model.predict(sample_of(images(1, 20, 50)))


@pytest.mark.parametrize(
    ("camera_as", "expected"),
    # of 100 pixels that 50 pixels become: 2 x 25 pixels to either side, at two focal lengths
    [("focal_length", [50.0, 100.0]), ("field_of_view", [90.0, 2 * np.rad2deg(np.arctan(0.5))])],
)
def test_a_camera_is_given_in_the_form_that_is_asked_for(external, images, camera_as, expected):
    model = external(camera="intrinsics", camera_as=camera_as, target_size=[40, 40], together=True)
    camera = torch.tensor([[[25.0, 0, 25], [0, 30, 10], [0, 0, 1]], [[50.0, 0, 25], [0, 60, 10], [0, 0, 1]]])
    with torch.inference_mode():
        model.predict(sample_of(images(2, 20, 50), camera))
    torch.testing.assert_close(model.network.seen[0][1], torch.tensor(expected, dtype=torch.float32))


def test_bilinear_interpolation_is_an_option(external, images, bilinear):
    model = external(mean=[0.0] * 3, std=[1.0] * 3, target_size=[40, 40], interpolation="bilinear")
    image = images(1, 20, 50)
    with torch.inference_mode():
        model.infer(image, ("a",))
    expected = bilinear(image.numpy() / 255, (40, 100), align_corners=False)
    np.testing.assert_allclose(model.network.seen[0][0], expected, atol=1e-5)


def test_a_clone_needs_no_trust_and_neither_does_what_torch_hub_has_fetched(external, repository, images, monkeypatch):
    settings = {"factory": "net", "arguments": {"weight": 3.0}, "remote_code": False}
    image = images(1, 8, 10)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(repository.parent))
    for name in (str(repository), "someone/depth", "someone/depth:main"):
        model = external(TorchHub, repository=name, **settings)
        with torch.inference_mode():
            torch.testing.assert_close(model.infer(image, ("a",)), 3 * image.float().sum(1, keepdim=True))
        assert model.provenance.weights == f"{name}:net"
    with pytest.raises(CheckpointError, match="Cannot find callable nett in hubconf"):
        external(TorchHub, repository=str(repository), **{**settings, "factory": "nett"})


def test_what_a_factory_makes_is_the_same_under_any_defaults(external, repository, loaded_anywhere):
    loaded_anywhere(lambda: external(load=False))
    clone = {"repository": str(repository), "factory": "net", "arguments": {"weight": 3.0}, "remote_code": False}
    loaded_anywhere(lambda: external(TorchHub, load=False, **clone))


def test_code_of_a_repository_elsewhere_is_run_only_if_that_is_asked_for(external, tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "empty"))
    monkeypatch.setattr(torch.hub, "load", lambda *args, **options: fetched.append((args, options)) or (lambda x: x))
    settings = {"repository": "someone/depth", "factory": "net", "arguments": {}, "call": None}
    with pytest.raises(
        CheckpointError, match=r"someone/depth: not on this machine; clone it .* model\.remote_code=true"
    ):
        external(TorchHub, remote_code=False, **settings)
    assert not fetched
    external(TorchHub, remote_code=True, **settings)
    assert fetched[0][0] == ("someone/depth", "net")
    assert fetched[0][1]["source"] == "github"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"factory": "nowhere:Net"},
            CheckpointError,
            "No module named 'nowhere'; install its package as its repository",
        ),
        ({"factory": "fakedepth.model:Nett"}, CheckpointError, "has no attribute 'Nett'; install .* or check the name"),
        ({"factory": "fakedepth.model.Net"}, ConfigError, "expected package.module:function"),
        ({"factory": "fakedepth.model:broken", "arguments": {}}, CheckpointError, "RuntimeError: no CUDA"),
        (
            {"arguments": {"name": "me/net", "size": 3}},
            CheckpointError,
            "TypeError: .*unexpected keyword argument 'size'",
        ),
        (
            {"call": "predict"},
            CheckpointError,
            r"expected a model to call by its method predict, got Net; set model\.call",
        ),
        ({"mean": [0.5] * 3}, ConfigError, "expected both, or null for both"),
        ({"space": "depth"}, ConfigError, "expected an output space"),
        ({"camera_as": "K"}, ConfigError, "camera_as=K, .*: expected one of matrix, focal_length, field_of_view"),
        ({"interpolation": "area"}, ConfigError, "interpolation=area: expected .* bicubic or bilinear"),
        ({"resolution": "big"}, ConfigError, "expected default, native or a number"),
    ],
)
def test_what_cannot_be_built_says_why(external, changes, error, message):
    with pytest.raises(error, match=message):
        external(**changes)


@pytest.mark.parametrize(
    ("returns", "output", "message"),
    [
        ("dict", "disparity", "prediction at 'disparity', got a dict with depth, points, channels_first"),
        ("dict", None, "expected a floating-point tensor or array, got dict"),
        ("tuple", 2, "prediction at 2, got a tuple"),
        ("small", None, r"for each of 1 images of 8 x 10 pixels, got shape \(1, 4, 10\)"),
        ("whole", None, r"got torch\.int64"),
    ],
)
def test_what_is_no_prediction_says_what_came(external, images, returns, output, message):
    model = external(arguments={"name": "me/net", "returns": returns}, output=output)
    with pytest.raises(PredictionError, match=message):
        model.infer(images(1, 8, 10), ("a",))
