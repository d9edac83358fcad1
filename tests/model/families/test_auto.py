import json

import pytest
import torch
from transformers import (
    AutoModelForDepthEstimation,
    CHMv2Config,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProForDepthEstimation,
    DepthProImageProcessor,
    Dinov2Config,
    DINOv3ViTConfig,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
    GLPNConfig,
    GLPNForDepthEstimation,
    GLPNImageProcessor,
    PromptDepthAnythingConfig,
    Tipsv2DptConfig,
    Tipsv2VisionConfig,
    ZoeDepthForDepthEstimation,
    ZoeDepthImageProcessor,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.model.checkpoints.randomise import randomise
from src.model.families.auto import Auto
from src.model.families.auto_types import TYPES, space_of

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


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_the_same_under_any_defaults(publish_kind, loaded_anywhere, images, kind):
    publish_kind(kind)
    model = loaded_anywhere(lambda: auto(KINDS[kind][3]))
    with torch.inference_mode():
        assert model.infer(images(1, 48, 64), ("a",)).shape == (1, 1, 48, 64)


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


def test_every_depth_class_of_the_library_is_listed():
    assert set(MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES) == set(TYPES)


BACKBONE = DINOv3ViTConfig(
    hidden_size=16, num_attention_heads=2, num_hidden_layers=4, intermediate_size=32, image_size=64, patch_size=16,
    out_indices=[1, 2, 3, 4], reshape_hidden_states=True,
)  # fmt: skip
SMALL = {"neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            CHMv2Config(
                backbone_config=BACKBONE, post_process_channels=[8] * 4, fusion_hidden_size=8, head_hidden_size=8
            ),
            "expected one that predicts depth, got type chmv2, which predicts the height of trees",
        ),
        (
            PromptDepthAnythingConfig(
                backbone_config=Dinov2Config(
                    hidden_size=16, num_attention_heads=2, num_hidden_layers=4, image_size=70, patch_size=14,
                    out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
                ),
                reassemble_hidden_size=16, **SMALL,
            ),
            "got type prompt_depth_anything, which needs measured depth as a prompt",
        ),
    ],
)  # fmt: skip
def test_what_is_no_monocular_depth_is_refused(publish, config, words):
    folder = publish(AutoModelForDepthEstimation.from_config(config), "Tiny/any")
    DPTImageProcessor(size={"height": 70, "width": 70}).save_pretrained(folder)
    with pytest.raises(CheckpointError, match=words):
        auto("metric_depth").configure_model()


@pytest.mark.parametrize(
    "config",
    [
        DPTConfig(backbone_config=BACKBONE, hidden_size=16, is_hybrid=False, **SMALL),
        DepthAnythingConfig(backbone_config=BACKBONE, patch_size=16, reassemble_hidden_size=16, **SMALL),
    ],
)
def test_what_the_library_builds_but_cannot_run_is_one_line(publish, images, config):
    folder = publish(AutoModelForDepthEstimation.from_config(config), "Tiny/any")
    DPTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    model = auto()
    model.configure_model()
    with pytest.raises(
        PredictionError, match=r"cannot run \w+ on the backbone dinov3_vit \(ValueError: .+take the authors"
    ):
        model.infer(images(1, 64, 64), ("a",))


@pytest.mark.parametrize(
    ("config", "weights", "known"),
    [
        ({"model_type": "dpt"}, "Intel/dpt-beit-large-512", OutputSpace.AFFINE_DISPARITY),
        ({"model_type": "dpt"}, "facebook/dpt-dinov2-small-nyu", OutputSpace.METRIC_DEPTH),
        ({"model_type": "dpt"}, "someone/dpt", None),
        ({"model_type": "depth_anything"}, "a/b", OutputSpace.AFFINE_DISPARITY),
        ({"model_type": "depth_anything", "depth_estimation_type": "metric"}, "a/b", OutputSpace.METRIC_DEPTH),
        ({"model_type": "tipsv2_dpt"}, "google/tipsv2-b14-dpt", OutputSpace.METRIC_DEPTH),
        ({"model_type": "of_next_year"}, "a/b", None),
    ],
)
def test_what_is_known_of_a_checkpoint(config, weights, known):
    assert space_of(config, weights) is known


def test_a_metric_type_is_not_taken_for_disparity(publish):
    backbone = Tipsv2VisionConfig(
        hidden_size=16, num_attention_heads=2, num_hidden_layers=4, image_size=70, out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )  # fmt: skip
    config = Tipsv2DptConfig(backbone_config=backbone, num_depth_bins=8, **SMALL)
    folder = publish(AutoModelForDepthEstimation.from_config(config), "Tiny/any")
    DPTImageProcessor(size={"height": 70, "width": 70}).save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"it predicts metric_depth, got model\.space=affine_disparity"):
        auto().configure_model()


def test_a_space_that_nothing_confirms_is_on_record(publish_kind):
    for kind, space, declared in (("dpt_vit", DISPARITY, True), ("zoedepth_nk", "metric_depth", False)):
        publish_kind(kind)
        model = auto(space)
        model.configure_model()
        assert model.provenance.space_declared is declared


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
