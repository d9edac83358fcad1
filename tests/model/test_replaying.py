"""Networks by graphs: with a stand-in for CUDA's that runs where there is none, and with CUDA's where there is one."""

import pytest
import torch

from src.core import replayed as core
from src.engine.process.cost import count_operations
from src.model.compute import Compute
from src.model.replaying import replay_calls
from tests.model.test_base import sample
from tests.model.test_defaults import build

FAMILIES = ("depth_anything_v2_small", "dpt_beit_large_384")


class Graph:
    """Does again what it was given, on the same tensors, and puts what comes of it where the first result is."""

    recorded = replayed = 0

    def __call__(self, work):
        self.recorded += 1
        result = work()

        def replay():
            self.replayed += 1
            result.predicted_depth.copy_(work().predicted_depth)

        return replay, result


def half(name):
    model = build(name)
    model.compute = Compute(precision="bfloat16")
    return model


@torch.inference_mode()
def predict(model, image):
    return model.infer(image, ("a",) * len(image))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_replayed_network_predicts_the_same_and_keeps_what_it_has_returned(monkeypatch, images, name):
    plain = build(name)
    plain.configure_model()
    expected = [predict(plain, images(1, 70, 70, seed=seed)) for seed in range(5)]
    model, graph = build(name), Graph()
    model.configure_model()
    replay_calls(model.network, recorded=graph)
    monkeypatch.setattr(core, "_is_on_host", lambda _: False)
    found = [predict(model, images(1, 70, 70, seed=seed)) for seed in range(5)]  # of the size of the network's input
    assert (graph.recorded, graph.replayed) == (1, 4)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_operations_are_counted_of_a_replayed_network_too(monkeypatch, images):
    model, graph = build("depth_anything_v2_small"), Graph()
    model.configure_model()
    flops = count_operations(model, sample(70, 70))
    replay_calls(model.network, recorded=graph)
    monkeypatch.setattr(core, "_is_on_host", lambda _: False)
    for seed in range(4):
        predict(model, images(1, 70, 70, seed=seed))
    assert graph.recorded == 1
    assert count_operations(model, sample(70, 70)) == flops > 0


def test_only_half_precision_is_replayed_and_only_where_a_family_says_that_it_may(monkeypatch):
    replayed = []
    monkeypatch.setattr("src.model.base.replay_calls", replayed.append)
    for name in (*FAMILIES, "zoedepth_nk"):
        half(name).configure_model()
        build(name).configure_model()
    # DPT with BEiT could not be recorded on a GPU, and ZoeDepth's router waits for it
    assert [type(network).__name__ for network in replayed] == ["DepthAnythingForDepthEstimation"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_graphs_of_cuda_give_the_digits_of_single_kernels(monkeypatch, images):
    made = []
    real = core.capture
    monkeypatch.setattr(core, "capture", lambda work: made.append(real(work)) or made[-1])
    model = half("depth_anything_v2_small")
    model.configure_model()
    model.to("cuda")
    for seed in range(5):
        image = images(1, 70, 98, seed=seed).to("cuda")
        found = predict(model, image)
        with core.kernel_by_kernel():
            assert torch.equal(predict(model, image), found)
    assert len(made) == 1
