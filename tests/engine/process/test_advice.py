"""What is said of arithmetic that costs more than a user may know, and to whom."""

import pytest
import torch
from lightning.pytorch import LightningModule

from src.engine.process import advice, session
from src.engine.process.session import Session
from src.model.families.external import External

GPU, CPU = torch.device("cuda"), torch.device("cpu")


class Network(LightningModule):
    """Weights that say where they are and what they are of."""

    def __init__(self, *, place=GPU, dtype=torch.float32, half_refused=""):
        super().__init__()
        self.half_refused = half_refused
        weights = type("Weights", (), {"device": place, "dtype": dtype})()
        self.parameters = lambda: iter([weights])


def test_a_long_run_in_float32_on_a_gpu_hears_of_faster_arithmetic():
    words = advice.after("float32", Network(), 150.0)
    assert words.startswith("This took 2.5 minutes in float32, in which published numbers are to be compared.")
    assert "precision=tf32 (up to 3 times as fast with a large network) or precision=bfloat16 (8 times)" in words
    assert "other digits, a folder of their own" in words


def test_what_cannot_be_given_half_precision_from_outside_is_not_told_to():
    words = advice.after("float32", Network(half_refused=External.half_refused), 150.0)
    assert "precision=tf32" in words
    assert "bfloat16" not in words


@pytest.mark.parametrize(
    ("precision", "network", "seconds"),
    [
        ("float32", Network(), 59.0),
        ("float32", Network(place=CPU), 900.0),
        ("float32", Network(dtype=torch.float16), 900.0),  # Marigold's own setting
        ("bfloat16", Network(dtype=torch.bfloat16), 900.0),
        ("tf32", Network(), 900.0),
        ("float32", LightningModule(), 900.0),  # has no weights
    ],
)
def test_nobody_else_does(precision, network, seconds):
    assert advice.after(precision, network, seconds) is None


def test_a_layout_that_is_slower_is_warned_of():
    assert "halves the speed of float32 convolutions on a GPU" in advice.before("float32", True, GPU)
    assert advice.before("bfloat16", True, GPU) is None
    assert advice.before("float32", False, GPU) is None
    assert advice.before("float32", True, CPU) is None


def test_a_run_says_it_once_before_and_once_after(run, monkeypatch, caplog):
    monkeypatch.setattr(session.advice, "before", lambda *asked: f"before {asked}")
    monkeypatch.setattr(session.advice, "after", lambda precision, _, seconds: f"after {precision} {seconds >= 0}")
    run("model=ramp", "data=synthetic", "data.n=2", "data.size=[8,12]", "protocol=[affine_disparity]", "panels=0")
    said = [record.message for record in caplog.records if record.name == session.__name__]
    assert said == ["before ('float32', False, device(type='cpu'))", "after float32 True"]
    assert Session(fingerprint="a", precision="float32", channels_last=False).precision == "float32"
