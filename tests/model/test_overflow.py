"""What overflows in half precision fails: nothing behind it makes a number of an infinity."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from src.core.sample import Sample
from src.model.families.depth_anything import DepthAnything
from src.model.families.depth_pro import DepthPro
from src.model.families.marigold import Marigold
from src.model.families.midas import MiDaS
from src.model.families.midas_timm import MiDaSTimm
from src.model.overflow import reveal_overflow
from src.protocol.scores import Status

CONF = Path(__file__).parents[2] / "conf"
NETWORK = {
    "weights": "random",
    "revision": None,
    "allow_pickle": False,
    "target_size": [64, 64],
    "bound": "stretch",
    "resolution": "default",
    "seed": 0,
}
ANYTHING = {**NETWORK, "target_size": [70, 70], "align_corners": True}
TIMM = {
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "architecture": {"encoder": "tf_efficientnet_lite0", "features": 8, "decoder": "v2_small"},
}
MARIGOLD = {
    "weights": "random",
    "revision": None,
    "steps": 1,
    "ensembling": "closed_form",
    "processing_resolution": None,
    "dtype": "float16",
    "tiny_vae": None,
    "vae_slicing": False,
    "resolution": "default",
    "seed": 0,
}
# name: the class, its settings, its last layer, the protocol that scores it
FAMILIES = {
    "depth_anything": (DepthAnything, {**ANYTHING, "space": "affine_disparity"}, "head.conv3"),
    "depth_anything_metric": (DepthAnything, {**ANYTHING, "space": "metric_depth"}, "head.conv3"),
    "dpt_vit": (MiDaS, NETWORK, "head.head.4"),
    "midas_timm": (MiDaSTimm, {**NETWORK, **TIMM}, "scratch.output_conv.4"),
    "depth_pro": (
        DepthPro,
        {**NETWORK, "target_size": [128, 128], "focal_length": "predicted"},
        "head.layers.4",
    ),
}


def sample_of(image):
    b, _, h, w = image.shape
    return Sample(
        image=image,
        depth=torch.rand(b, 1, h, w, generator=torch.Generator().manual_seed(0)) + 1,
        valid=torch.ones(b, 1, h, w, dtype=torch.bool),
        depth_range=(0.1, 10.0),
        sample_id=tuple("abcd"[:b]),
        index=tuple(range(b)),
        cluster=("",) * b,
        slice=("",) * b,
    )


def protocol_for(model):
    name = {"metric_depth": "metric", "affine_depth": "affine_depth"}.get(model.space.value, "affine_disparity")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose(overrides=[f"+protocol={name}"]).protocol)[name]


@pytest.mark.parametrize("sign", [1, -1])  # a ReLU makes 0 of the one, a sigmoid 1 of the other
@pytest.mark.parametrize("family", FAMILIES)
def test_overflow_in_half_precision_is_a_failure(architecture, images, family, sign):
    kind, settings, last = FAMILIES[family]
    model = kind(**{"architecture": architecture(family) if family != "midas_timm" else None, **settings})
    model.configure_model()
    layer = model.network.get_submodule(last)
    with torch.no_grad():
        layer.bias.fill_(sign * 60000)  # a float16 ends at 65504
        layer.weight.fill_(sign * 20000)
    sample = sample_of(images(2, 64, 70))
    protocol = protocol_for(model)
    with torch.inference_mode():
        single = model.predict(sample)
        model.network.half()
        half = model.predict(sample)
    assert single.values.isfinite().all()
    assert not half.values.isfinite().all()
    scores = protocol.evaluate(half, sample)
    assert scores.status.tolist() == [Status.FAILED] * 2
    assert all(values.isnan().all() for values in scores.errors.values())


@pytest.mark.parametrize("ensemble", [1, 3])
def test_marigold_does_not_clip_what_overflows(marigold_architecture, images, ensemble):
    model = Marigold(**MARIGOLD, ensemble=ensemble, architecture=marigold_architecture("v1_1"))
    model.configure_model()
    sample = sample_of(images(2, 48, 64))
    protocol = protocol_for(model)
    with torch.inference_mode():
        assert protocol.evaluate(model.predict(sample), sample).status.tolist() == [Status.OK] * 2
        model.vae.decoder.conv_out.weight.mul_(30000)
        assert protocol.evaluate(model.predict(sample), sample).status.tolist() == [Status.FAILED] * 2


def test_finite_values_pass_as_they_are():
    layer = torch.nn.Identity()
    reveal_overflow(layer)
    values = torch.tensor([-1e38, 0.0, torch.inf, -torch.inf, torch.nan, 3.0])
    assert layer(values).tolist()[:2] == values.tolist()[:2]
    assert layer(values).isnan().tolist() == [False, False, True, True, True, False]
