"""Every configuration of a model builds it, sees images at the published size and has the published parameters."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from src.core.prediction import OutputSpace
from src.model.base import DepthModel
from src.model.cards import read_card, read_weights
from src.model.families.auto import Auto

CONF = Path(__file__).parents[2] / "conf"
# those that are a file's need a real one, which is in exchange/test_deployed.py
OF_FILES = {"onnx", "onnx_depth_anything", "onnx_depth_pro", "onnx_midas", "openvino", "torch_export", "torchscript"}
NAMES = sorted({path.stem for path in (CONF / "model").glob("*.yaml")} - OF_FILES)

# input size of a 480 x 640 image and millions of parameters: of Intel, depth-anything and prs-eth on the hub, and of
# the model cards of the original repositories, which count a classification head of up to 2 M more with some encoders
PUBLISHED = {
    "midas": ((512, 672), 345),
    "dpt_beit_large_384": ((384, 512), 344),
    "dpt_beit_base_384": ((384, 512), 112),
    "dpt_swin_large_384": ((384, 384), 213),
    "dpt_swin2_large_384": ((384, 384), 213),
    "dpt_swin2_base_384": ((384, 384), 102),
    "dpt_swin2_tiny_256": ((256, 256), 42),
    "dpt_next_vit_large_384": ((384, 512), 72),
    "dpt_levit_224": ((224, 224), 49.1),  # 51 with two classification heads
    "midas_v2": ((288, 384), 105.4),
    "midas_v21": ((288, 384), 105.4),
    "midas_v21_small": ((192, 256), 21.3),
    "dpt_large": ((384, 512), 344),
    "dpt_hybrid": ((384, 512), 123),
    "depth_anything_v1_small": ((518, 686), 24.8),
    "depth_anything_v1_base": ((518, 686), 97.5),
    "depth_anything_v1_large": ((518, 686), 335.3),
    "depth_anything_v2": ((518, 686), 335.3),
    "depth_anything_v2_small": ((518, 686), 24.8),
    "depth_anything_v2_base": ((518, 686), 97.5),
    "depth_anything_v2_large": ((518, 686), 335.3),
    "depth_anything_v2_metric_indoor_small": ((518, 686), 24.8),
    "depth_anything_v2_metric_indoor_base": ((518, 686), 97.5),
    "depth_anything_v2_metric_indoor_large": ((518, 686), 335.3),
    "depth_anything_v2_metric_outdoor_small": ((518, 686), 24.8),
    "depth_anything_v2_metric_outdoor_base": ((518, 686), 97.5),
    "depth_anything_v2_metric_outdoor_large": ((518, 686), 335.3),
    "depth_pro": ((1536, 1536), 952),
    "depth_pro_known_focal": ((1536, 1536), 952),
    "zoedepth": ((384, 512), 345),
    "zoedepth_n": ((384, 512), 345),
    "zoedepth_k": ((384, 768), 345),
    "zoedepth_nk": ((384, 512), 345),
    # 572 x 746 with the border: the scale nearer to 1 is that of the width
    "zoedepth_n_infer": ((384, 512), 345),
    "zoedepth_k_infer": ((576, 768), 345),
    "zoedepth_nk_infer": ((384, 512), 345),
}
RELEASES = "https://github.com/isl-org/MiDaS/releases/download/"
MARIGOLDS = ["marigold", "marigold_v1_0", "marigold_lcm", "marigold_fp16", "marigold_bf16", "marigold_tiny_vae"]


def build(name: str, *overrides: str) -> DepthModel:
    needed = {
        "saved": ["model.folder=.", "model.space=metric_depth"],
        "auto": ["model.weights=owner/name", "model.space=metric_depth"],
        "callable": ["model.factory=package:function", "model.space=metric_depth"],
        "torchhub": ["model.repository=owner/name", "model.factory=entry", "model.space=metric_depth"],
    }.get(name, [])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(overrides=[f"+model={name}", "+resolution=default", "+seed=0", *needed, *overrides])
    return instantiate(config.model)


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_builds_its_model_without_touching_weights(name):
    model = build(name)
    assert isinstance(model, DepthModel)
    assert isinstance(model.space, OutputSpace)
    assert model.provenance.parameters == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_downloaded_says_from_where(name):
    model = build(name)
    if getattr(model, "weights", "random") != "random":
        assert len(model.weights.split("/")) == 2 or model.weights.startswith(RELEASES)
        if name.startswith("depth_anything_3_"):  # its package counts and builds it
            return
        assert name.removesuffix("_hf") in {*PUBLISHED, *MARIGOLDS, "auto", "dpt_beit_large_512"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_input_size_and_architecture_are_the_published_ones(name):
    model = build(name)
    size, millions = PUBLISHED[name]
    assert model.input_size((480, 640)) == size
    with torch.device("meta"):
        network = model.build()
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert count == pytest.approx(millions, abs=0.1 if millions % 1 else 1.5)
    card = read_card(CONF, name)
    assert (card.parameters_m, card.output_space) == (pytest.approx(count, abs=0.06), model.space.value)


@pytest.mark.parametrize("name", [name for name in MARIGOLDS if name != "marigold_tiny_vae"])
def test_marigold_has_the_parameters_of_stable_diffusion_2(name):
    architecture = build(name).architecture
    with torch.device("meta"):
        parts = UNet2DConditionModel(**architecture["unet"]), AutoencoderKL(**architecture["vae"])
    count = sum(parameter.numel() for part in parts for parameter in part.parameters()) / 1e6
    assert count == pytest.approx(949.5, abs=1)
    card = read_card(CONF, name)
    assert (card.parameters_m, card.output_space) == (pytest.approx(count, abs=0.06), "affine_depth")


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("depth_anything_v2_metric_indoor_base", "metric_depth"),
        ("midas", "affine_disparity"),
        ("marigold_lcm", "affine_depth"),
        ("zoedepth", "metric_depth"),
        ("depth_pro", "metric_depth"),
        ("depth_anything_v2", "affine_disparity"),
    ],
)
def test_the_space_is_the_familys(name, space):
    assert build(name).space is OutputSpace(space)


def test_the_two_versions_of_depth_anything_differ_in_features_and_upsampling():
    for size, last in {"small": 12, "base": 12, "large": 24}.items():
        first, second = build(f"depth_anything_v1_{size}"), build(f"depth_anything_v2_{size}")
        assert (first.align_corners, second.align_corners) == (False, True)
        features = [model.architecture["backbone_config"]["out_indices"] for model in (first, second)]
        assert features == [list(range(last - 3, last + 1)), [5, 12, 18, 24] if last == 24 else [3, 6, 9, 12]]


def test_resolution_reaches_every_family():
    sizes = {
        name: build(name, "resolution=280").input_size((480, 640))
        for name in ("midas", "depth_anything_v2_small", "zoedepth", "marigold", "ramp")
    }
    assert sizes == {
        "midas": (288, 384),
        "depth_anything_v2_small": (280, 378),
        "zoedepth": (288, 384),
        "marigold": (216, 280),
        "ramp": (480, 640),
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_hf")])
def test_the_librarys_way_is_that_with_the_same_checkpoint_and_space(name):
    original, library = build("midas" if "beit" in name else name.removesuffix("_hf")), build(name)
    assert isinstance(library, Auto)
    assert (library.weights, library.revision, library.space) == (original.weights, original.revision, original.space)


def test_a_pinned_commit_belongs_to_the_checkpoint_that_it_names():
    sources = {read_weights(CONF, name) for name in NAMES}  # variants of a checkpoint agree about its commit
    pinned = [source.split(", commit ") for source in sources if ", commit " in source]
    following = {source.split(", main branch")[0] for source in sources if ", main branch" in source}
    assert len({weights for weights, _ in pinned} | following) == len(pinned) + len(following)
    assert dict(pinned) == {
        "depth-anything/Depth-Anything-V2-Small-hf": "5426e4f0f36572d16453bbda7a8389317b1bef99",
        "depth-anything/Depth-Anything-V2-Base-hf": "b1958afc87fb45a9e3746cb387596094de553ed8",
        "depth-anything/Depth-Anything-V2-Large-hf": "7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf": "8078d68a9c75a972131914f6afd0c1723be0da7f",
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf": "c6d9784685727bfc6d0a7b5452ce94afaee1e7f5",
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Large-hf": "d2fc6a93601aabb1139a3bf0ebfcb4e89c67817f",
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf": "fd2c22027eaf20374204f14099b8341e1925ad39",
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Base-hf": "5b575fded0346068343a6d96d0ce3ab6dbc9fb49",
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf": "4eab4cf1983c2801c515804005214de56a4b67cc",
        "LiheYoung/depth-anything-small-hf": "25216a913fa218ccb7d58cce818d52b728b6c1f6",
        "LiheYoung/depth-anything-large-hf": "27ccb0920352c0c37b3a96441873c8d37bd52fb6",
        "Intel/dpt-large": "bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
        "Intel/zoedepth-nyu": "52ae69caf7896c927909b3ceab4249c235e16dc1",
        "Intel/zoedepth-kitti": "0347db85b019f309d5544c70ad2ac998ad570899",
        "Intel/zoedepth-nyu-kitti": "f364d4c7936e91f465abba182208dd68142bf0ca",
        "prs-eth/marigold-depth-v1-1": "9571e7123e258cf052b4e54241f17971c290e9a8",
    }
