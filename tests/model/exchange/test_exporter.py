"""What is exported predicts what the original does, says what it is, and is not kept where it does not."""

import json

import jaxtyping
import onnx
import pytest
import torch

from src.core.errors import CheckpointError, ConfigError
from src.model.exchange.interface import KEY
from src.model.families.depth_pro import DepthPro
from src.model.families.marigold import Marigold
from src.model.families.midas import MiDaS
from src.model.families.zoedepth import ZoeDepth

BASE = {"weights": "random", "revision": None, "allow_pickle": False, "resolution": "default", "seed": 0}
FAMILIES = {
    "zoedepth": (ZoeDepth, {"target_size": [64, 96], "bound": "stretch", "pad": False, "mirror": True}),
    "zoedepth_nk": (ZoeDepth, {"target_size": [64, 96], "bound": "minimal", "pad": True, "mirror": True}),
    "dpt_beit": (MiDaS, {"target_size": [64, 64], "bound": "minimal"}),
    "dpt_vit": (MiDaS, {"target_size": [64, 64], "bound": "minimal"}),
    "depth_pro": (DepthPro, {"target_size": [128, 128], "bound": "stretch", "focal_length": "predicted"}),
}


def test_both_runtimes_predict_what_the_original_does(tmp_path, tiny, exporter, deployed, images):
    model, pictures = tiny(), images(2, 80, 100)
    exported = exporter().export(model, [one[None] for one in pictures], tmp_path / "a.onnx", name="tiny", data="made")
    with torch.inference_mode():
        expected = model.infer(pictures, ("a", "b"))
        for name, changes in (("onnx", {}), ("onnx", {"runtime": "openvino"}), ("openvino", {})):
            found = deployed(name, tmp_path / "a.onnx", **changes)
            found.configure_model()
            assert found.input_size((80, 100)) == model.input_size((80, 100)) == (70, 84)
            torch.testing.assert_close(found.infer(pictures, ("a", "b")), expected, rtol=0, atol=1e-4)
    assert 0 <= exported.about.origin.mean <= exported.about.origin.largest < 1e-4
    assert found.space == model.space
    assert found.provenance.random_weights
    assert found.provenance.parameters == model.provenance.parameters
    assert found.provenance.settings["exported_from"] == "tiny"
    assert found.provenance.settings["bytes"] == (tmp_path / "a.onnx").stat().st_size


def test_the_file_says_what_its_user_must_know(tmp_path, tiny, exporter, images):
    exporter().export(tiny(), [images(1, 80, 100)], tmp_path / "a.onnx", name="tiny", data="made")
    model = onnx.load(tmp_path / "a.onnx")
    said = json.loads(next(entry.value for entry in model.metadata_props if entry.key == KEY))
    assert said["unit"] == "1/m up to an unknown scale and shift"
    interface, origin = said["interface"], said["origin"]
    assert (interface["fixed_size"], interface["target_size"], interface["multiple"]) == ([70, 84], [70, 70], 14)
    assert (interface["mean"], interface["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert (interface["channels"], interface["layout"], interface["interpolation"]) == ("rgb", "nchw", "bicubic")
    assert (origin["family"], origin["opset"], origin["weights"]) == ("DepthAnything", 20, "random")
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_can_be_exported(tmp_path, architecture, exporter, deployed, images, kind):
    family, settings = FAMILIES[kind]
    own = {"bin_range": None} if family is ZoeDepth else {}
    model = family(**BASE, **settings, **own, architecture=architecture(kind))
    model.configure_model()
    pictures = images(2, 80, 120)
    exporter().export(model, [one[None] for one in pictures], tmp_path / "a.onnx", name=kind, data="made")
    found = deployed("onnx", tmp_path / "a.onnx")
    found.configure_model()
    with torch.inference_mode():
        expected = model.infer(pictures, ("a", "b"))
        # routed by a classifier whose decision must not flip: all of a picture's depth would be another
        assert (found.infer(pictures, ("a", "b")) - expected).abs().max() < 1e-3 * (expected.max() - expected.min())
    assert found.input_size((80, 120)) == model.input_size((80, 120))


@pytest.mark.parametrize("format_", ["openvino", "torch_export"])
def test_other_formats_carry_the_same(tmp_path, tiny, exporter, deployed, images, format_):
    suffix = {"openvino": ".xml", "torch_export": ".pt2"}[format_]
    model, picture = tiny(), images(1, 80, 100)
    exported = exporter(format=format_).export(model, [picture], tmp_path / f"a{suffix}", name="tiny", data="made")
    found = deployed(format_, tmp_path / f"a{suffix}", allow_code=format_ == "torch_export")
    found.configure_model()
    with torch.inference_mode():
        torch.testing.assert_close(found.infer(picture, ("a",)), model.infer(picture, ("a",)), rtol=0, atol=1e-4)
    assert found.about == exported.about
    assert len(exported.files) == (2 if format_ == "openvino" else 1)


@pytest.mark.parametrize(
    "changes", [{"precision": "float16"}, {"quantise": "int8_dynamic"}, {"quantise": "int8_static"}]
)
def test_smaller_files_are_loaded_and_close(tmp_path, tiny, exporter, deployed, images, changes):
    pictures = [one[None] for one in images(2, 80, 100)]
    expected = tiny().infer(pictures[0], ("a",))
    exported = exporter(**changes, bound=0.5).export(tiny(), pictures, tmp_path / "a.onnx", name="tiny", data="made")
    found = deployed("onnx", tmp_path / "a.onnx")
    found.configure_model()
    with torch.inference_mode():
        part = (found.infer(pictures[0], ("a",)) - expected).abs().max() / (expected.max() - expected.min())
    assert 0 < part <= exported.about.origin.largest * 1.001
    assert found.provenance.settings["quantised"] == changes.get("quantise", "")
    static = changes.get("quantise") == "int8_static"
    assert exported.about.origin.calibrated_on == ("made, 2 images" if static else "")


def test_what_differs_too_much_is_not_kept(tmp_path, tiny, exporter, images):
    with pytest.raises(CheckpointError, match=r"differs from the original.*nothing was kept"):
        exporter(quantise="int8_dynamic", bound=1e-9).export(
            tiny(), [images(1, 80, 100)], tmp_path / "a.onnx", name="tiny", data="made"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_fixed_size_is_compared_at_that_size(tmp_path, tiny, exporter, deployed, images):
    picture = images(1, 80, 100)
    exported = exporter(size="56x98").export(tiny(), [picture], tmp_path / "a.onnx", name="tiny", data="made")
    assert exported.about.interface.fixed_size == (56, 98)
    assert exported.about.origin.largest < 1e-4
    found = deployed("onnx", tmp_path / "a.onnx")
    found.configure_model()
    assert found.input_size((333, 77)) == (56, 98)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": "57x98"}, "multiples of 14"),
        ({"size": "big"}, "type size=518x686"),
        ({"format": "tflite"}, "expected one of onnx, openvino, torch_export"),
        ({"quantise": "int8_static", "precision": "float16"}, "expected format=onnx and precision=float32"),
        ({"format": "openvino"}, "ends in .xml"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, tiny, exporter, images, changes, words):
    with pytest.raises(ConfigError, match=words):
        exporter(**changes).export(tiny(), [images(1, 80, 100)], tmp_path / "a.onnx", name="tiny", data="made")


def test_marigold_is_no_single_network(tmp_path, exporter, images, marigold_architecture):
    model = Marigold(
        weights="random", revision=None, steps=1, ensemble=1, ensembling="upstream", processing_resolution=None,
        dtype="float32", tiny_vae=None, vae_slicing=False, resolution="default", seed=0,
        architecture=marigold_architecture("v1_1"),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="runtime=onnxruntime or openvino"):
        exporter().export(model, [images(1, 80, 100)], tmp_path / "a.onnx", name="marigold", data="made")


@pytest.fixture
def unchecked():
    """Without the check of all shapes, which takes the sizes that torch leaves open for what they are not."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.mark.usefixtures("unchecked")
def test_a_file_of_any_size_is_right_at_another_size_or_not_kept(tmp_path, tiny, exporter, deployed, images):
    model, picture, other = tiny(), images(1, 80, 100), images(1, 100, 60)
    file = tmp_path / "a.onnx"
    try:
        exporter(dynamic=True).export(model, [picture], file, name="tiny", data="made")
    except CheckpointError:  # torch fixed a size on the way
        assert not file.exists()
        return
    found = deployed("onnx", file)
    found.configure_model()
    with torch.inference_mode():
        torch.testing.assert_close(found.infer(other, ("a",)), model.infer(other, ("a",)), rtol=0, atol=1e-3)
