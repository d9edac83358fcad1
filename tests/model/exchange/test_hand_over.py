"""Another runtime computes what torch does, from a cache that survives everything but a wrong hit."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from src.core.errors import ConfigError, PredictionError
from src.model.compute import Compute
from src.model.exchange.hand_over import HandedOver


def test_a_family_predicts_the_same_by_either_runtime(tmp_path, tiny, images, architecture):
    pictures = images(3, 80, 100)
    expected = tiny().infer(pictures, ("a", "b", "c"))
    from src.model.families.depth_anything import DepthAnything

    for runtime in ("onnxruntime", "openvino"):
        model = DepthAnything(
            weights="random", revision=None, allow_pickle=False, target_size=[70, 70], bound="lower",
            resolution="default", seed=3, architecture=architecture("depth_anything"), space="affine_disparity",
            align_corners=True,
        )  # fmt: skip
        model.compute = Compute(runtime=runtime, exports=str(tmp_path))
        model.configure_model()
        with torch.inference_mode():
            found = model.infer(pictures, ("a", "b", "c"))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
        assert not torch.equal(found, expected)  # it was another runtime
    assert len(list(tmp_path.iterdir())) == 1  # one export for both


class Linear(torch.nn.Conv2d):
    calls = 0

    def forward(self, x):
        type(self).calls += 1
        return super().forward(x)


@pytest.fixture
def conv():
    network = Linear(3, 2, 1)
    torch.nn.init.normal_(network.weight, generator=torch.Generator().manual_seed(0))
    return network.requires_grad_(False)


def over(network, cache, runtime="onnxruntime"):
    return HandedOver(network.forward, (network,), runtime, cache)


def test_the_cache_is_keyed_by_weights_and_size(tmp_path, conv):
    x = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(over(conv, tmp_path)(x), conv(x))
    torch.testing.assert_close(over(conv, tmp_path)(x), conv(x))
    assert len(list(tmp_path.iterdir())) == 1
    over(conv, tmp_path)(torch.rand(1, 3, 4, 6))
    assert len(list(tmp_path.iterdir())) == 2
    conv.weight.add_(1)
    torch.testing.assert_close(over(conv, tmp_path)(x), conv(x))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_or_deleted_cache_is_made_again(tmp_path, conv):
    x = torch.rand(1, 3, 4, 5)
    over(conv, tmp_path / "c")(x)
    (file,) = (tmp_path / "c").rglob("*.onnx")
    file.write_bytes(file.read_bytes()[:40])
    torch.testing.assert_close(over(conv, tmp_path / "c")(x), conv(x))
    shutil.rmtree(tmp_path / "c")
    torch.testing.assert_close(over(conv, tmp_path / "c")(x), conv(x))


def test_what_was_exported_wrongly_is_not_believed(tmp_path, conv):
    x = torch.rand(1, 3, 4, 5)
    over(conv, tmp_path)(x)
    (file,) = tmp_path.rglob("*.onnx")
    other = Linear(3, 2, 1).requires_grad_(False)
    over(other, tmp_path / "other")(x)
    shutil.copy(next((tmp_path / "other").rglob("*.onnx")), file)
    with pytest.raises(PredictionError, match="differs from torch"):
        over(conv, tmp_path)(x)


def test_two_at_once_leave_one_whole_export(tmp_path, conv):
    x = torch.rand(1, 3, 4, 5)
    stand_ins = [over(conv, tmp_path) for _ in range(2)]
    folder = stand_ins[0]._cache
    for stand_in in stand_ins:  # in turn exported, as if neither had seen the other's
        stand_in._cache = folder
    with ThreadPoolExecutor(1) as thread:
        results = [thread.submit(stand_in, x).result() for stand_in in stand_ins]
    assert all(torch.allclose(found, conv(x), atol=1e-6) for found in results)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["network.onnx"]


@pytest.mark.parametrize(("settings", "words"), [
    ({"runtime": "tensorflow"}, "expected one of torch, onnxruntime, openvino"),
    ({"runtime": "openvino", "precision": "bfloat16"}, "leave precision=bfloat16 out"),
])  # fmt: skip
def test_what_does_not_go_together(settings, words):
    with pytest.raises(ConfigError, match=words):
        Compute(**settings)
