"""Settings of how a network computes: the default changes nothing, the others little, and what cannot be is refused."""

import pytest
import torch
from torch import nn

from src.core.errors import ConfigError
from src.model.compute import Compute
from src.model.families.baseline import Ramp
from src.model.families.depth_anything import DepthAnything
from src.model.families.marigold import Marigold
from src.model.families.midas import MiDaS
from src.model.families.zoedepth import ZoeDepth

NETWORK = {"weights": "random", "revision": None, "allow_pickle": False, "resolution": "default", "seed": 0}
# of the range of a prediction, on tiny networks: bfloat16 keeps 8 bits of a number, float16 11 bits, float32 24
TOLERANCES = (
    ({"precision": "bfloat16"}, 0.2),
    ({"precision": "float16"}, 0.03),
    ({"channels_last": True}, 1e-5),
    ({"attention": "eager"}, 1e-5),
    ({"attention": "sdpa"}, 1e-5),
)


@pytest.fixture
def model(architecture, marigold_architecture):
    """Build a tiny model of a family that computes in a given way; not loaded."""

    def build(family, **settings):
        match family:
            case "depth_anything":
                own = {"space": "affine_disparity", "align_corners": True, "target_size": [70, 70], "bound": "lower"}
                built = DepthAnything(**NETWORK, **own, architecture=architecture(family))
            case "zoedepth_nk":
                own = {"pad": False, "mirror": True, "bin_range": None, "target_size": [64, 64], "bound": "stretch"}
                built = ZoeDepth(**NETWORK, **own, architecture=architecture(family))
            case "marigold":
                own = {"steps": None, "ensemble": 1, "ensembling": "upstream", "processing_resolution": None}
                own |= {
                    "dtype": "float32",
                    "tiny_vae": None,
                    "vae_slicing": False,
                    "weights": "random",
                    "revision": None,
                    "seed": 0,
                }
                built = Marigold(**own, resolution="default", architecture=marigold_architecture("v1_1"))
            case _:
                built = MiDaS(**NETWORK, target_size=[64, 64], bound="minimal", architecture=architecture(family))
        built.compute = Compute(**settings)
        return built

    return build


def predict(model, image):
    model.configure_model()
    with torch.inference_mode():
        return model.infer(image, tuple("ab"))


@pytest.mark.parametrize("family", ["depth_anything", "zoedepth_nk", "dpt_beit", "dpt_vit", "dpt_hybrid"])
def test_every_setting_changes_a_prediction_by_no_more_than_its_rounding(model, images, family):
    image = images(2, 60, 80)
    default = predict(model(family), image)

    plain = model(family)
    plain.load()  # what a model without settings does
    plain.eval()
    with torch.inference_mode():
        assert torch.equal(plain.infer(image, tuple("ab")), default)
    for settings, tolerance in TOLERANCES:
        changed = predict(model(family, **settings), image)
        assert changed.dtype is torch.float32
        difference = ((changed - default).abs().max() / (default.max() - default.min())).item()
        assert difference <= tolerance, (settings, difference)
        assert difference > 0 or "precision" not in settings, settings


def test_attention_is_really_exchanged(model, monkeypatch):
    calls = []
    fused = nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        nn.functional, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k)
    )
    image = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    for family in ("depth_anything", "zoedepth_nk", "dpt_beit", "dpt_vit", "marigold"):
        counts = {}
        for attention in ("default", "sdpa", "eager"):
            calls.clear()
            predict(model(family, attention=attention), image)
            counts[attention] = len(calls)
        assert counts["sdpa"] == counts["default"] > 0, family
        assert counts["eager"] == 0, family


def test_compiling_reaches_the_parts_that_are_called(model):
    whole = model("depth_anything", compile=True)
    whole.configure_model()
    assert whole.network._compiled_call_impl is not None
    parts = model("dpt_vit", compile=True)
    parts.configure_model()
    assert all(module._compiled_call_impl is not None for module in parts.entry_points)
    assert len(parts.entry_points) == 1 + 4 + 2  # embeddings, four layers, neck, head
    marigold = model("marigold", compile=True)
    marigold.configure_model()
    assert marigold.entry_points == (marigold.unet, marigold.vae.encoder, marigold.vae.decoder)


@pytest.mark.parametrize("family", ["depth_anything", "dpt_vit", "marigold"])
def test_infer_calls_every_entry_point(model, images, family):
    built = model(family)
    built.configure_model()
    called = set()
    for module in built.entry_points:
        module.register_forward_hook(lambda module, *_: called.add(module))

    predict(built, images(2, 64, 64))

    assert called == set(built.entry_points)


@pytest.mark.slow
def test_a_compiled_network_predicts_the_same(model, images, monkeypatch):
    # traced and guarded as always, but without minutes of a C++ compiler
    monkeypatch.setattr(
        nn.Module,
        "compile",
        lambda self: setattr(self, "_compiled_call_impl", torch.compile(self._call_impl, backend="eager")),
    )
    compiled, plain = model("depth_anything", compile=True), model("depth_anything")
    image = images(2, 70, 98)
    assert torch.equal(predict(compiled, image), predict(plain, image))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"precision": "half"},
            "precision: expected one of float32, tf32, tf32_convolutions, float16, bfloat16, got 'half'",
        ),
        ({"attention": "fast"}, "attention: expected one of default, eager, sdpa, flash, got 'fast'"),
        ({"attention": "flash"}, "half precision only: add precision=bfloat16, not float32"),
    ],
)
def test_words_that_are_none_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Compute(**settings)


def test_a_model_without_a_network_refuses_every_setting():
    model = Ramp(resolution="default")
    model.compute = Compute(compile=True, channels_last=True)
    with pytest.raises(ConfigError, match=r"compile=True channels_last=True: expected a model with a network .* Ramp"):
        model.configure_model()


def test_marigold_names_its_own_setting_of_precision(model):
    with pytest.raises(ConfigError, match=r"precision=bfloat16: Marigold .* expected model.dtype=float16 or bfloat16"):
        model("marigold", precision="bfloat16")


@pytest.mark.parametrize(
    ("family", "settings", "reason"),
    [
        ("dpt_swin2", {"attention": "sdpa"}, "one implementation of its attention only"),
        ("depth_anything", {"attention": "flash", "precision": "bfloat16"}, "network: "),
    ],
)
def test_attention_that_a_network_does_not_have_is_refused(model, family, settings, reason):
    with pytest.raises(ConfigError, match=f"attention={settings['attention']}: .*{reason}.*use attention=default"):
        model(family, **settings).configure_model()
