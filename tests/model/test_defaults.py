"""Loading is indifferent to the defaults of its caller; the layouts of files are tested beside their families."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from tests.benchmarks.running import words_of
from tests.composing import CONF

NAMES = ("depth_anything_v2_small", "dpt_beit_large_384", "zoedepth_nk", "marigold", "marigold_lcm")


def build(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose("eval", ["data=synthetic", *words_of(name, small=True)]).model)


@pytest.mark.parametrize("name", NAMES)
def test_random_weights_are_the_same_under_any_defaults(loaded_anywhere, images, name):
    model = loaded_anywhere(lambda: build(name))
    with torch.inference_mode():
        assert model.infer(images(1, 48, 64), ("a",)).isfinite().all()


def test_the_defaults_of_the_caller_are_as_they_were_when_loading_fails(loaded_anywhere, monkeypatch):
    model = build("depth_anything_v2_small")
    monkeypatch.setattr(type(model), "build", lambda _: 1 / 0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), pytest.raises(ZeroDivisionError):
            model.configure_model()
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(before)
    assert torch.ones(()).device.type == "cpu"
