"""How a network computes, from the command line to the manifest."""

import dataclasses
import json

import pytest
import torch
from rich.console import Console

from src.core.errors import ConfigError
from src.engine.process.environment import make_repeatable
from src.engine.terminal.digits import print_cost_in_digits

WORDS = ("data=synthetic", "data.n=1", "data.size=[32,48]", "protocol=[affine_disparity]")


def test_precision_of_the_trainer_is_refused_for_the_one_that_is_on_record(run):
    with pytest.raises(ConfigError, match=r"trainer.precision=bf16-true: .* precision=bfloat16 or float16"):
        run("model=ramp", *WORDS, "trainer.precision=bf16-true")


def test_a_baseline_has_no_network_to_compile(run):
    with pytest.raises(ConfigError, match="compile=True: expected a model with a network of torch, but Ramp has none"):
        run("model=ramp", *WORDS, "compile=true")


def test_tf32_is_refused_where_there_is_none_and_undone_by_the_next_cell():
    for precision in ("tf32", "tf32_convolutions"):
        with pytest.raises(ConfigError, match=f"precision={precision}: expected a CUDA device from Ampere on, got "):
            make_repeatable(precision, torch.device("cpu"))
    torch.backends.cudnn.allow_tf32 = True
    make_repeatable("float32", torch.device("cpu"))
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("precision", "products", "convolutions"),
    [("float32", "highest", False), ("tf32", "high", True), ("tf32_convolutions", "highest", True)],
)
def test_each_name_of_tf32_switches_what_it_says(monkeypatch, precision, products, convolutions):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    make_repeatable(precision, torch.device("cuda"))
    try:
        assert torch.get_float32_matmul_precision() == products
        assert torch.backends.cudnn.allow_tf32 is convolutions
        assert torch.backends.cudnn.deterministic
    finally:
        make_repeatable("float32", torch.device("cpu"))


LAYER = """
import torch

from src.core.prediction import OutputSpace
from src.model.base import DepthModel, Provenance


class Layer(DepthModel):
    space = OutputSpace.AFFINE_DISPARITY

    def __init__(self, *, dtype):
        super().__init__()
        self.dtype_of_network = getattr(torch, dtype)

    def load(self):
        self.layer = torch.nn.Conv2d(3, 1, 1).to(self.dtype_of_network).requires_grad_(False)
        self.layer.weight.copy_(torch.tensor([0.3, 0.5, 0.2]).reshape(1, 3, 1, 1))
        self.layer.bias.fill_(0.1)

    def input_size(self, size):
        return size

    def infer(self, image, sample_id):
        return self.layer(image.to(self.layer.weight.dtype) / 255)

    @property
    def provenance(self):
        return Provenance(weights="none")
"""


@pytest.fixture
def layer(own_code):
    """A folder for --config-dir with the model `layer`, one convolution whose dtype is a setting."""
    return own_code("one_layer", LAYER, {"model/layer.yaml": "# layer\n_target_: one_layer.Layer\ndtype: float32\n"})


def shown(cell, capsys):
    print_cost_in_digits(cell, Console(width=60))
    return capsys.readouterr().out


@pytest.mark.parametrize("word", ["precision=bfloat16", "model.dtype=bfloat16"])
def test_a_cell_with_other_digits_is_held_against_its_twin_once_there_is_one(run, layer, capsys, word):
    other = run("model=layer", *WORDS, word, conf=layer)
    assert "changes digits: run this without it, then once again" in shown(other, capsys)
    run("model=layer", *WORDS, "data.n=2", conf=layer)  # of more images
    run("model=layer", *WORDS, "precision=float16", conf=layer)  # has other digits itself
    assert "changes digits: run this without it" in shown(other, capsys)
    twin = run("model=layer", *WORDS, conf=layer)
    assert shown(twin, capsys) == ""

    first, second = shown(other, capsys).splitlines()
    assert first == f"{word}: means minus those of {twin.folder.name}, the same in float32"
    means = [
        {metric: float(values.mean()) for metric, values in cell.scores["affine_disparity"].errors.items()}
        for cell in (other, twin)
    ]
    difference = means[0]["abs_rel"] - means[1]["abs_rel"]
    assert second.startswith(f"  affine_disparity: abs_rel {difference:+.1e}, ")
    assert difference != 0
    assert all(f"{metric} {means[0][metric] - means[1][metric]:+.1e}" in second for metric in means[0])


def test_a_twin_that_scored_another_number_of_images_is_not_compared(run, layer, capsys):
    cell = run("model=layer", *WORDS, "precision=bfloat16", conf=layer)
    twin = run("model=layer", *WORDS, conf=layer)
    manifest = json.loads((twin.folder / "manifest.json").read_text())
    manifest["scored"]["affine_disparity"] = 0
    (twin.folder / "manifest.json").write_text(json.dumps(manifest))
    assert "affine_disparity: not comparable: 1 images scored, 0 there" in shown(cell, capsys)

    other = dataclasses.replace(cell.manifest, content={"data": {"images": 1, "digest": "of other files"}})
    assert "run this without it" in shown(dataclasses.replace(cell, manifest=other), capsys)
