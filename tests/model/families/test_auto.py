import json

import pytest
import torch
from transformers import (
    DepthAnythingForDepthEstimation,
    DepthProForDepthEstimation,
    DepthProImageProcessor,
    DPTForDepthEstimation,
    DPTImageProcessor,
    GLPNConfig,
    GLPNForDepthEstimation,
    GLPNImageProcessor,
    ZoeDepthForDepthEstimation,
    ZoeDepthImageProcessor,
)

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.model.checkpoints.randomise import randomise
from src.model.families.auto import Auto

DISPARITY = "affine_disparity"
KINDS = {
    "dpt_vit": (DPTForDepthEstimation, DPTImageProcessor, {"height": 64, "width": 64}, DISPARITY),
    "depth_anything": (DepthAnythingForDepthEstimation, DPTImageProcessor, {"height": 70, "width": 70}, DISPARITY),
    "zoedepth_nk": (ZoeDepthForDepthEstimation, ZoeDepthImageProcessor, {"height": 64, "width": 96}, "metric_depth"),
    "depth_pro": (DepthProForDepthEstimation, DepthProImageProcessor, {"height": 128, "width": 128}, "metric_depth"),
}  # fmt: skip


@pytest.fixture
def publish_kind(publish, tiny_network):
    def write(kind):
        network_class, processor_class, size, _ = KINDS[kind]
        options = {"ensure_multiple_of": 32} if kind == "zoedepth_nk" else {}
        processor = processor_class(size=size, **options)
        folder = publish(tiny_network(network_class, kind), "Tiny/any")
        processor.save_pretrained(folder)
        return folder, processor

    return write


def auto(space="affine_disparity", **changes):
    return Auto(**{"weights": "Tiny/any", "revision": None, "space": space, "resolution": "default", **changes})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (75, 142)])
def test_the_librarys_own_way_with_any_family(publish_kind, tiny_network, images, kind, size):
    _, processor = publish_kind(kind)
    network_class, _, _, space = KINDS[kind]
    model = auto(space)
    model.configure_model()
    image = images(2, *size)
    library = tiny_network(network_class, kind)
    with torch.inference_mode():
        values = model.infer(image, ("a", "b"))
        for i in range(2):
            pixels = processor(image[i], return_tensors="pt").pixel_values
            sizes = {"target_sizes": [size]} | ({"source_sizes": [size]} if kind == "zoedepth_nk" else {})
            [expected] = processor.post_process_depth_estimation(library(pixels), **sizes)
            torch.testing.assert_close(values[i, 0], expected["predicted_depth"])
    assert values.shape == (2, 1, *size)
    assert values.std() > 0
    assert model.space is OutputSpace(space)
    assert model.input_size(size) == tuple(pixels.shape[-2:])
    assert model.provenance.revision == "0123456789abcdef0123456789abcdef01234567"
    assert model.provenance.parameters == sum(parameter.numel() for parameter in library.parameters())


def test_a_family_without_a_class_here(publish, images):
    config = GLPNConfig(depths=[1] * 4, hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1] * 4, decoder_hidden_size=8)
    network = GLPNForDepthEstimation(config)
    randomise(network, seed=0)
    GLPNImageProcessor().save_pretrained(publish(network, "Tiny/any"))
    model = auto("metric_depth")
    model.configure_model()
    with torch.inference_mode():
        values = model.infer(images(2, 70, 100), ("a", "b"))
    assert values.shape == (2, 1, 70, 100)
    assert values.std() > 0
    assert model.input_size((70, 100)) == (64, 96)


@pytest.mark.parametrize(
    ("kind", "space", "known"),
    [
        ("zoedepth_nk", "affine_disparity", "metric_depth"),
        ("depth_pro", "affine_disparity", "metric_depth"),
        ("depth_anything", "metric_depth", "affine_disparity"),
    ],
)
def test_a_space_that_runs_the_other_way_is_refused(publish_kind, kind, space, known):
    publish_kind(kind)
    with pytest.raises(CheckpointError, match=rf"Tiny/any: it predicts {known}, got model\.space={space}"):
        auto(space).configure_model()


def test_a_checkpoint_without_an_image_processor_is_refused(publish_kind):
    folder, _ = publish_kind("dpt_vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"Tiny/any: expected preprocessor_config\.json in"):
        auto().configure_model()


def test_a_checkpoint_of_no_depth_model_is_refused(publish_kind):
    folder, _ = publish_kind("dpt_vit")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(CheckpointError, match="cannot be loaded as AutoModelForDepthEstimation"):
        auto().configure_model()


@pytest.mark.parametrize("resolution", ["native", 384])
def test_another_resolution_is_refused(resolution):
    with pytest.raises(ConfigError, match=f"resolution={resolution}: expected default, since the image processor"):
        auto(resolution=resolution)


def test_an_unknown_space_is_refused():
    with pytest.raises(ConfigError, match="expected an output space"):
        auto("depth")
