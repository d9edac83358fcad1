"""Files of others: every layout that is met in public is fed as it wants, and every fault has its words."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from src.core.errors import CheckpointError, ConfigError, PredictionError


def grey_file(path, *, layout="nchw", kind=TensorProto.FLOAT, sides=(6, 8), opset=17, outputs=1, rank=4, apart=False):
    """Write a network whose prediction is 2 r + 3 g + 5 b of its input."""
    shape = {"nchw": [1, 3, *sides], "nhwc": [1, *sides, 3]}[layout][:rank]
    nodes, name = [], "image"
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT))
        name = "float"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [name], ["planes"], perm=[0, 3, 1, 2]))
        name = "planes"
    nodes.append(helper.make_node(*(("Conv", [name, "weight"]) if rank == 4 else ("Identity", [name])), ["depth"]))
    names = ["depth"]
    if outputs == 2:
        nodes.append(helper.make_node("Neg", ["depth"], ["other"]))
        names.append("other")
    weight = numpy_helper.from_array(np.array([2, 3, 5], np.float32).reshape(1, 3, 1, 1), "weight")
    graph = helper.make_graph(
        nodes, "grey", [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in names], [weight],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if apart:
        onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    else:
        onnx.save(model, path)
    return path


def predicted(model, image):
    model.configure_model()
    with torch.inference_mode():
        return model.infer(image, ("a",) * len(image))


@pytest.fixture
def image():
    return torch.randint(0, 256, (2, 3, 6, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def grey(image, *, mean=0.0, std=1.0):
    values = image.double()
    values = values if mean == 0 and std == 1 else (values / 255 - mean) / std
    return torch.einsum("bchw,c->bhw", values, torch.tensor([2, 3, 5.0], dtype=torch.float64))[:, None].float()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.UINT8])
def test_layouts_and_types(tmp_path, deployed, image, runtime, layout, kind):
    path = grey_file(tmp_path / "a.onnx", layout=layout, kind=kind)
    model = deployed("onnx", path, space="metric_depth", layout=layout, runtime=runtime)
    torch.testing.assert_close(predicted(model, image), grey(image), rtol=1e-5, atol=1e-3)
    assert model.provenance.space_declared


def test_normalised_reversed_and_scaled(tmp_path, deployed, image):
    path = grey_file(tmp_path / "a.onnx")
    settings = {"mean": [0.5] * 3, "std": [0.25] * 3, "channels": "bgr", "scale": 0.001}
    found = predicted(deployed("onnx", path, space="metric_depth", **settings), image)
    torch.testing.assert_close(found, grey(image.flip(1), mean=0.5, std=0.25) / 1000, rtol=1e-5, atol=1e-6)


def test_a_fixed_size_goes_before_the_rule_and_the_map_comes_back(tmp_path, deployed):
    path = grey_file(tmp_path / "a.onnx", sides=(12, 16))
    model = deployed("onnx_midas", path)
    flat = torch.full((1, 3, 24, 40), 51, dtype=torch.uint8)
    found = predicted(model, flat)
    assert model.input_size((24, 40)) == (12, 16)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = float(((0.2 - mean) / std) @ [2, 3, 5])
    torch.testing.assert_close(found, torch.full((1, 1, 24, 40), expected), rtol=1e-5, atol=1e-5)


def test_of_two_outputs_one_must_be_named(tmp_path, deployed, image):
    path = grey_file(tmp_path / "a.onnx", outputs=2)
    with pytest.raises(PredictionError, match=r"got depth .*, other .*; set model.output"):
        predicted(deployed("onnx", path, space="metric_depth"), image)
    found = predicted(deployed("onnx", path, space="metric_depth", output="other"), image)
    torch.testing.assert_close(found, -grey(image), rtol=1e-5, atol=1e-3)


def test_weights_apart_are_read_marked_and_missed(tmp_path, deployed, image):
    path = grey_file(tmp_path / "a.onnx", apart=True)
    model = deployed("onnx", path, space="metric_depth")
    torch.testing.assert_close(predicted(model, image), grey(image), rtol=1e-5, atol=1e-3)
    assert [file.name for file in model.files(())] == ["a.onnx", "weights.bin"]
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(CheckpointError, match=r"lie in 'weights.bin' beside it, but there is none"):
        predicted(deployed("onnx", path, space="metric_depth"), image)


def test_a_file_that_reads_from_elsewhere_is_not_trusted(tmp_path, deployed, image):
    path = grey_file(tmp_path / "a.onnx", apart=True)
    model = onnx.load(path, load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = "../secret"
    path.write_bytes(model.SerializeToString())
    (tmp_path.parent / "secret").write_bytes(bytes(12))
    for name in ("onnx", "openvino"):
        with pytest.raises(CheckpointError, match="outside its folder; this file is not to be trusted"):
            predicted(deployed(name, path, space="metric_depth"), image)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
@pytest.mark.parametrize("fault", ["truncated", "garbage", "opset", "operator"])
def test_a_damaged_or_foreign_file_has_its_words(tmp_path, deployed, image, name, fault):
    path = grey_file(tmp_path / "a.onnx", opset=999 if fault == "opset" else 17)
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif fault == "garbage":
        path.write_bytes(b"<html>not found</html>" * 20)
    elif fault == "operator":
        model = onnx.load(path)
        model.graph.node[0].domain = "com.example"
        model.opset_import.append(helper.make_opsetid("com.example", 1))
        path.write_bytes(model.SerializeToString())
    if (name, fault) == ("openvino", "opset"):
        pytest.skip("openvino reads what it knows of a later opset")
    with pytest.raises(CheckpointError) as caught:
        predicted(deployed(name, path, space="metric_depth"), image)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 3}, r"expected an input of shape \(1, 3, h, w\)"),
        ({"layout": "nhwc"}, "set model.layout=nchw or nhwc"),
    ],
)
def test_another_shape_of_input_is_refused(tmp_path, deployed, image, settings, words):
    path = grey_file(tmp_path / "a.onnx", **settings)
    with pytest.raises(CheckpointError, match=words):
        predicted(
            deployed("onnx", path, space="metric_depth", runtime="openvino" if "rank" in settings else "onnxruntime"),
            image,
        )


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("onnx", {}, "expected one of metric_depth.*does not say what it predicts"),
        ("onnx", {"space": "metric_depth", "provider": "cuda"}, "has .*cpu.* here; choose one"),
        ("onnx", {"space": "metric_depth", "runtime": "tflite"}, "expected one of onnxruntime"),
        ("onnx", {"space": "metric_depth", "mean": [0.5] * 3}, "mean and std: expected both"),
        ("torchscript", {"space": "metric_depth"}, "model.allow_code=true"),
        ("openvino", {"space": "metric_depth", "provider": "npu"}, "openvino has .*cpu"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, deployed, image, name, changes, words):
    with pytest.raises(ConfigError, match=words):
        predicted(deployed(name, grey_file(tmp_path / "a.onnx"), **changes), image)


def test_torchscript(tmp_path, deployed, image):
    network = torch.nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([2, 3, 5.0]).reshape(1, 3, 1, 1))
    torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, 6, 8)), tmp_path / "a.pt")
    model = deployed("torchscript", tmp_path / "a.pt", space="metric_depth", allow_code=True)
    torch.testing.assert_close(predicted(model, image), grey(image), rtol=1e-5, atol=1e-3)
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-300])
    with pytest.raises(CheckpointError, match="cannot be read as an archive"):
        deployed("torchscript", tmp_path / "b.pt", space="metric_depth", allow_code=True)


def test_without_the_extra_the_error_names_it(tmp_path, deployed, image, monkeypatch):
    path = grey_file(tmp_path / "a.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"extra deploy: pip install 'leadline\[deploy\]'"):
        predicted(deployed("onnx", path, space="metric_depth"), image)
