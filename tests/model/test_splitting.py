"""A batch that goes through in parts equals the whole, call by call and family by family."""

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import DepthEstimatorOutput

from src.model import splitting
from src.model.splitting import split_calls
from tests.model.test_defaults import build


class Noting(nn.Module):
    """Sums its arguments by image; notes how many came together."""

    def __init__(self, form):
        super().__init__()
        self.form, self.seen = form, []

    def forward(self, image, step, *, text=None, scale=1.0):
        self.seen.append(len(image))
        total = image.sum((1, 2, 3)) * scale + step + (0 if text is None else text.sum(1))
        return {
            "tensor": lambda: total,
            "tuple": lambda: (total, total + 1),
            "output": lambda: DepthEstimatorOutput(predicted_depth=total),
        }[self.form]()


@pytest.fixture
def on_cuda(monkeypatch):
    """Batches of the processor count as those of a GPU."""
    monkeypatch.setattr(splitting, "_needs_splitting", lambda _: True)


def flat(returned):
    if isinstance(returned, DepthEstimatorOutput):
        return [returned.predicted_depth]
    return [returned] if isinstance(returned, torch.Tensor) else list(returned)


@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("form", ["tensor", "tuple", "output"])
@pytest.mark.parametrize(("pixels", "seen"), [(24, [2, 2, 1]), (23, [1] * 5), (60, [5]), (1, [1] * 5), (999, [5])])
def test_every_image_meets_its_own_arguments(form, pixels, seen):
    network = Noting(form)
    image, text = torch.arange(5 * 2 * 3 * 4.0).reshape(5, 2, 3, 4), torch.arange(10.0).reshape(5, 2)
    whole = network(image, torch.tensor(7), text=text, scale=2.0)
    network.seen.clear()
    split_calls(network, pixels)
    parts = network(image, torch.tensor(7), text=text, scale=2.0)

    assert network.seen == seen
    assert type(parts) is type(whole)
    for one, other in zip(flat(parts), flat(whole), strict=True):
        assert torch.equal(one, other)
    network.seen.clear()
    assert torch.equal(flat(network(image=image, step=0, text=text))[0], image.sum((1, 2, 3)) + text.sum(1))
    assert network.seen == seen


def test_on_the_processor_a_batch_stays_whole():
    network = Noting("tensor")
    split_calls(network, 1)
    network(torch.ones(3, 1, 2, 2), 0)
    assert network.seen == [3]


@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("name", ["zoedepth_nk", "marigold,model.steps=2", "marigold_lcm,model.steps=2"])
@pytest.mark.parametrize("ensemble", [1, 3])
def test_a_family_that_splits_inside_predicts_what_it_predicts_for_single_images(monkeypatch, images, name, ensemble):
    if ensemble > 1:
        if not name.startswith("marigold"):
            pytest.skip("has no ensembles")
        name = f"{name},model.ensemble=3,model.ensembling=closed_form"
    for module in ("zoedepth", "marigold"):
        monkeypatch.setattr(f"src.model.families.{module}._TOGETHER", 2 * 64 * 64)
    model, batch = build(name), images(5, 48, 64)
    model.configure_model()
    parts = []
    for module in model.entry_points:
        for convolution in [part for part in module.modules() if isinstance(part, nn.Conv2d)][:1]:
            convolution.register_forward_pre_hook(lambda _, arguments: parts.append(len(arguments[0])))
    with torch.inference_mode():
        together = model.infer(batch, tuple("abcde"))
        most = max(parts)
        alone = torch.cat([model.infer(batch[i : i + 1], ("abcde"[i],)) for i in range(5)])
    assert most == 2
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5 * float(alone.abs().max()))
