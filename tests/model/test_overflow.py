"""A network whose half-precision arithmetic overflows fails under a protocol; nothing hides it."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from src.core.sample import Sample
from src.model.depth_anything import DepthAnything
from src.protocol import Status

CONF = Path(__file__).parents[2] / "conf"


def test_overflow_in_half_precision_is_a_failure(architecture, images):
    model = DepthAnything(
        weights="random",
        revision=None,
        allow_pickle=False,
        space="affine_disparity",
        align_corners=True,
        target_size=[70, 70],
        bound="lower",
        resolution="default",
        architecture=architecture("depth_anything"),
        seed=0,
    )
    model.configure_model()
    with torch.no_grad():
        model.network.head.conv3.bias.fill_(60000)  # a float16 ends at 65504
        model.network.head.conv3.weight.fill_(20000)
    depth = torch.rand(2, 1, 60, 70, generator=torch.Generator().manual_seed(0)) + 1
    sample = Sample(
        image=images(2, 60, 70),
        depth=depth,
        valid=torch.ones(2, 1, 60, 70, dtype=torch.bool),
        depth_range=(0.1, 10.0),
        sample_id=("a", "b"),
        index=(0, 1),
        group=("", ""),
    )
    with initialize_config_dir(str(CONF), version_base="1.3"):
        protocol = instantiate(compose(overrides=["+protocol=affine_disparity"]).protocol)["affine_disparity"]
    with torch.inference_mode():
        single = protocol.evaluate(model.predict(sample), sample)
        model.network.half()
        prediction = model.predict(sample)
        half = protocol.evaluate(prediction, sample)
    assert single.status.tolist() == [Status.OK] * 2
    assert not prediction.values.isfinite().all()
    assert half.status.tolist() == [Status.FAILED] * 2
    assert all(values.isnan().all() for values in half.errors.values())
