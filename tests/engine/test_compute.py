"""How a network computes, from the command line to the manifest."""

import pytest
import torch

from src.core.errors import ConfigError
from src.engine.environment import make_repeatable

WORDS = ("data=synthetic", "data.n=1", "data.size=[32,48]", "protocol=[affine_disparity]")


def test_precision_of_the_trainer_is_refused_for_the_one_that_is_on_record(run):
    with pytest.raises(ConfigError, match=r"trainer.precision=bf16-true: .* precision=bfloat16 or float16"):
        run("model=ramp", *WORDS, "trainer.precision=bf16-true")


def test_a_baseline_has_no_network_to_compile(run):
    with pytest.raises(ConfigError, match="compile=True: expected a model with a network of torch, but Ramp has none"):
        run("model=ramp", *WORDS, "compile=true")


def test_tf32_is_refused_where_there_is_none_and_undone_by_the_next_cell():
    with pytest.raises(ConfigError, match="precision=tf32: expected a CUDA device from Ampere on, got "):
        make_repeatable("tf32", torch.device("cpu"))
    torch.backends.cudnn.allow_tf32 = True
    make_repeatable("float32", torch.device("cpu"))
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32
