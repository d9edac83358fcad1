"""Release files of tiny networks: the encoder from timm, whose names the releases have, the decoder named by hand."""

import re
from functools import partial

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models.beit import Beit
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer
from transformers import (
    DepthAnythingForDepthEstimation,
    DepthProForDepthEstimation,
    DPTForDepthEstimation,
    ZoeDepthForDepthEstimation,
)

from src.core.errors import CheckpointError
from src.model.checkpoints.randomise import randomise
from src.model.families.depth_anything import DepthAnything
from src.model.families.depth_pro import DepthPro
from src.model.families.midas import MiDaS
from src.model.families.midas_timm import MiDaSTimm
from src.model.families.zoedepth import ZoeDepth
from src.model.network import NetworkModel

CLASSES = {
    "depth_anything": (DepthAnythingForDepthEstimation, DepthAnything),
    "depth_anything_metric": (DepthAnythingForDepthEstimation, DepthAnything),
    "dpt_vit": (DPTForDepthEstimation, MiDaS),
    "dpt_beit": (DPTForDepthEstimation, MiDaS),
    "dpt_swin2": (DPTForDepthEstimation, MiDaS),
    "dpt_hybrid": (DPTForDepthEstimation, MiDaS),
    "zoedepth": (ZoeDepthForDepthEstimation, ZoeDepth),
    "zoedepth_nk": (ZoeDepthForDepthEstimation, ZoeDepth),
}
IN_BOTH_LAYOUTS = {**CLASSES, "depth_pro_release": (DepthProForDepthEstimation, DepthPro)}
SIDES = {"depth_anything": 70, "depth_anything_metric": 70, "depth_pro_release": 128}  # of inputs, in pixels
VIT = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 4, "num_heads": 2, "mlp_ratio": 2, "num_classes": 5}


def timm_encoder(kind):
    match kind:
        case "depth_anything" | "depth_anything_metric":
            size = {"img_size": 70, "patch_size": 14, "mlp_ratio": 4, "num_classes": 0}
            network = VisionTransformer(**{**VIT, **size}, init_values=1.0)
        case "dpt_vit":
            network = VisionTransformer(**VIT)
        case "dpt_beit" | "zoedepth" | "zoedepth_nk":
            network = Beit(**VIT, use_abs_pos_emb=False, use_rel_pos_bias=True, init_values=0.1)
        case "dpt_swin2":
            shape = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2), "window_size": 4}
            network = SwinTransformerV2(img_size=64, patch_size=4, num_classes=5, **shape)
        case "dpt_hybrid":
            network = timm.create_model("vit_base_r50_s16_384", num_classes=5)
    randomise(network, seed=3)
    for block in network.modules():
        for name in ("ls1.gamma", "ls2.gamma"):  # layer scales of 1 would hide that they are swapped
            parameters = dict(block.named_parameters())
            if name in parameters:
                parameters[name].data.uniform_(0.5, 1)
    return network.eval()


def encoder_names(kind, network):
    """The encoder under the names of the release."""
    anything = kind.startswith("depth_anything")
    prefix = "pretrained." if anything else "pretrained.model."
    state = {}
    for key, value in network.state_dict().items():
        # the releases are older than the move of Swin's downsampling from the end of a stage to the start of the next
        moved = re.sub(r"^layers\.(\d)\.downsample", lambda match: f"layers.{int(match[1]) - 1}.downsample", key)
        state[f"{prefix}{moved}"] = value
    if anything:
        state["pretrained.mask_token"] = torch.zeros(1, 32)
    return state


def decoder_names(hub):
    """The rest of a checkpoint from the hub under the names of the release."""
    anything = any(key.startswith("head.conv1") for key in hub)
    zoe = any(key.startswith("relative_head") for key in hub)
    prefix = "depth_head." if anything else ""
    number = {"conv1": "0", "conv2": "2", "conv3": "4"}
    rules = [
        (r"neck\.convs\.(\d)\.weight", lambda m: f"{prefix}scratch.layer{int(m[1]) + 1}_rn.weight"),
        (r"neck\.fusion_stage\.layers\.(\d)\.projection\.(\w+)",
         lambda m: f"{prefix}scratch.refinenet{4 - int(m[1])}.out_conv.{m[2]}"),
        (r"neck\.fusion_stage\.layers\.(\d)\.residual_layer(\d)\.convolution(\d)\.(\w+)",
         lambda m: f"{prefix}scratch.refinenet{4 - int(m[1])}.resConfUnit{m[2]}.conv{m[3]}.{m[4]}"),
        (r"neck\.reassemble_stage\.layers\.(\d)\.projection\.(\w+)",
         lambda m: f"depth_head.projects.{m[1]}.{m[2]}" if anything
         else f"pretrained.act_postprocess{int(m[1]) + 1}.3.{m[2]}"),
        (r"neck\.reassemble_stage\.layers\.(\d)\.resize\.(\w+)",
         lambda m: f"depth_head.resize_layers.{m[1]}.{m[2]}" if anything
         else f"pretrained.act_postprocess{int(m[1]) + 1}.4.{m[2]}"),
        (r"neck\.reassemble_stage\.readout_projects\.(\d)\.0\.(\w+)",
         lambda m: f"pretrained.act_postprocess{int(m[1]) + 1}.0.project.0.{m[2]}"),
        (r"head\.head\.(\d)\.(\w+)", r"scratch.output_conv.\1.\2"),
        (r"head\.conv1\.(\w+)", r"depth_head.scratch.output_conv1.\1"),
        (r"head\.conv2\.(\w+)", r"depth_head.scratch.output_conv2.0.\1"),
        (r"head\.conv3\.(\w+)", r"depth_head.scratch.output_conv2.2.\1"),
        (r"relative_head\.(conv\d)\.(\w+)", lambda m: f"scratch.output_conv.{number[m[1]]}.{m[2]}"),
        (r"metric_head\.mlp_classifier\.linear1\.(\w+)", r"mlp_classifier.0.\1"),
        (r"metric_head\.mlp_classifier\.linear2\.(\w+)", r"mlp_classifier.2.\1"),
        (r"metric_head\.conditional_log_binomial\.(.*)", r"conditional_log_binomial.\1"),
        (r"metric_head\.(patch_transformer\.transformer_encoder)\.(.*)", r"\1.layers.\2"),
        (r"metric_head\.patch_transformer\.(embedding.*)", r"patch_transformer.\1"),
        (r"metric_head\.conv2\.(\w+)", r"conv2.\1"),
        (r"metric_head\.(\w+(?:\.\w+)?(?:\.\d)?)\.conv1\.(\w+)", r"\1._net.0.\2"),
        (r"metric_head\.(\w+(?:\.\w+)?(?:\.\d)?)\.conv2\.(\w+)", r"\1._net.2.\2"),
    ]  # fmt: skip
    state = {}
    for key, value in hub.items():
        if re.match(r"backbone|dpt\.", key):
            continue
        pattern, replacement = next(rule for rule in rules if re.fullmatch(rule[0], key))
        name = re.sub(pattern, replacement, key)
        joined = re.sub(r"self_attn\.query\.", "self_attn.in_proj_", name)
        if joined != name:
            value = torch.cat([hub[key.replace("query", part)] for part in ("query", "key", "value")])
        if not re.search(r"self_attn\.(key|value)\.", name):
            state[joined] = value
    if zoe:
        state["conditional_log_binomial.log_binomial_transform.k_idx"] = torch.zeros(1, 16, 1, 1)
        state["conditional_log_binomial.log_binomial_transform.K_minus_1"] = torch.zeros(1, 1, 1, 1)
    return state


@pytest.fixture
def hybrid():
    """The hybrid at its true encoder: timm has no smaller one."""
    return {
        "is_hybrid": True,
        "reassemble_factors": [1, 1, 1, 0.5],
        "neck_hidden_sizes": [256, 512, 768, 768],
        "fusion_hidden_size": 16,
    }


@pytest.fixture
def release(tmp_path, architecture, hybrid):
    """A released file and what it was made from: kind -> path, encoder of timm, decoder, architecture."""

    def write(kind):
        keywords = hybrid if kind == "dpt_hybrid" else architecture(kind)
        network_class, _ = CLASSES[kind]
        network = network_class(network_class.config_class(**keywords))
        randomise(network, seed=5)
        network.save_pretrained(tmp_path / "hub")
        encoder = timm_encoder(kind)
        state = {**encoder_names(kind, encoder), **decoder_names(load_file(tmp_path / "hub" / "model.safetensors"))}
        if kind.startswith("zoe"):
            core = {f"core.core.{key}": value for key, value in state.items() if re.match("pretrained|scratch", key)}
            rest = {key: value for key, value in state.items() if not re.match("pretrained|scratch", key)}
            state = {"model": {**core, **rest}, "epoch": 5}
        path = tmp_path / "release.pt"
        torch.save(state, path)
        decoder = {key: value for key, value in network.named_parameters() if not re.match(r"backbone|dpt\.", key)}
        return path, encoder, decoder, keywords

    return write


def build_model_of(kind, weights, architecture):
    settings = {
        "weights": str(weights),
        "revision": None,
        "allow_pickle": False,
        "target_size": [SIDES.get(kind, 64)] * 2,
        "bound": "stretch",
        "resolution": "default",
        "architecture": architecture,
        "seed": 0,
    }
    if kind.startswith("zoe"):
        settings |= {"pad": False, "mirror": True, "bin_range": None}
    if kind.startswith("depth_anything"):
        space = "metric_depth" if kind.endswith("metric") else "affine_disparity"
        settings |= {"space": space, "align_corners": True}
    if kind.startswith("depth_pro"):
        settings |= {"focal_length": "predicted"}
    return IN_BOTH_LAYOUTS[kind][1](**settings)


def model_of(kind, weights, architecture):
    model = build_model_of(kind, weights, architecture)
    model.configure_model()
    return model


@torch.inference_mode()
def last_features(kind, network, pixels):
    """What our encoder hands to the decoder last."""
    if kind in ("dpt_vit", "dpt_hybrid"):
        dpt = network.dpt
        hidden = dpt.embeddings(pixels).last_hidden_states
        for layer in dpt.encoder.layer:
            hidden = layer(hidden)
        return hidden
    return network.backbone(pixels).feature_maps[-1]


@torch.inference_mode()
def timm_features(kind, encoder, pixels):
    """The same of timm's encoder."""
    if kind == "dpt_swin2":  # timm takes the features before the norm, the library normalises none of them
        stages = encoder.forward_intermediates(pixels, indices=[3], output_fmt="NCHW", intermediates_only=True)
        return stages[0]
    norm = kind.startswith("depth_anything")
    last = len(encoder.blocks) - 1
    [(patches, prefix)] = encoder.forward_intermediates(
        pixels, indices=[last], return_prefix_tokens=True, norm=norm, output_fmt="NLC", intermediates_only=True
    )
    return torch.cat((prefix, patches), 1)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "dpt_hybrid")) for kind in CLASSES]
)
def test_a_release_arrives_where_it_belongs(release, kind):
    path, encoder, decoder, architecture = release(kind)
    model = model_of(kind, path, architecture)
    side = 384 if kind == "dpt_hybrid" else SIDES.get(kind, 64)
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    timms = timm_features(kind, encoder, pixels)
    ours = last_features(kind, model.network, pixels)
    torch.testing.assert_close(ours, timms, rtol=0, atol=1e-4 * timms.abs().max().item())
    loaded = {key.replace("metric_head.heads.", "metric_head."): value for key, value in model.named_parameters()}
    for key, value in decoder.items():
        assert torch.equal(loaded[f"network.{key}"], value), key


@pytest.mark.parametrize("kind", [kind for kind in IN_BOTH_LAYOUTS if kind != "dpt_hybrid"])  # 90 M parameters
def test_the_file_of_the_release_and_the_folder_of_the_hub_predict_the_same(
    release, depth_pro_release, architecture, publish, loaded_anywhere, images, tmp_path, kind
):
    if kind == "depth_pro_release":
        path, keywords = tmp_path / "release.pt", architecture(kind)
        torch.save(depth_pro_release, path)
    else:
        path, _, _, keywords = release(kind)
    released = loaded_anywhere(partial(build_model_of, kind, path, keywords))
    assert released.provenance.revision.startswith("sha256:")
    assert not released.provenance.random_weights
    network_class, _ = IN_BOTH_LAYOUTS[kind]
    network = network_class(network_class.config_class(**keywords))
    state = released.network.state_dict()
    network.load_state_dict({key.replace("metric_head.heads.", "metric_head."): state[key] for key in state})
    folder = publish(network, "Tiny/network")
    image = images(2, 60, 90)
    with torch.inference_mode():
        prediction = released.infer(image, ("a", "b"))
        assert prediction.std() > 0.001 * prediction.mean() > 0
        for weights in ("Tiny/network", str(folder)):
            in_the_hubs = loaded_anywhere(partial(build_model_of, kind, weights, keywords))
            assert torch.equal(in_the_hubs.infer(image, ("a", "b")), prediction)


def test_every_family_in_both_layouts_is_tested_in_both():
    # timm's encoders have no layout on the hub, and Marigold was released in that of the hub
    assert {model for _, model in IN_BOTH_LAYOUTS.values()} == set(NetworkModel.__subclasses__()) - {MiDaSTimm}


@pytest.mark.parametrize("kind", ["depth_anything", "dpt_beit", "zoedepth"])
def test_a_release_that_does_not_fit_names_its_keys(release, kind):
    path, _, _, architecture = release(kind)
    content = torch.load(path, weights_only=True)
    state = content.get("model", content)
    [convolution] = [key for key in state if key.endswith("scratch.layer2_rn.weight")]
    state["surplus"] = state.pop(convolution)
    torch.save(content, path)
    with pytest.raises(
        CheckpointError,
        match=r"release\.pt: does not fit .*1 keys missing: neck\.convs\.1\.weight; 1 .*unexpected: surplus",
    ):
        model_of(kind, path, architecture)


def test_a_release_of_another_size_names_what_differs(release):
    path, _, _, architecture = release("dpt_vit")
    with pytest.raises(CheckpointError, match=r"head\.head\.0\.weight \(8, 16, 3, 3\) instead of \(4, 8, 3, 3\)"):
        model_of("dpt_vit", path, {**architecture, "fusion_hidden_size": 8})
