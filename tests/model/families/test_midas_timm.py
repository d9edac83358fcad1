import re

import numpy as np
import pytest
import timm
import torch
from timm.models.swin_transformer import SwinTransformer
from torch.nn import functional

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.model.checkpoints.randomise import randomise
from src.model.families.midas_timm import MiDaSTimm
from src.model.families.refinenet import MidasNet
from tests.reference import encoders

ARCHITECTURES = {
    "large": {
        "encoder": "resnext101_32x8d",
        "layers": [1, 1, 1, 1],
        "cardinality": 4,
        "base_width": 8,
        "features": 16,
        "decoder": "v2",
    },
    "small": {"encoder": "tf_efficientnet_lite0", "features": 8, "decoder": "v2_small"},
    "swin": {
        "encoder": "swin_tiny_patch4_window7_224",
        "img_size": 128,
        "window_size": 4,
        "embed_dim": 8,
        "depths": [2, 2, 2, 2],
        "num_heads": [1, 1, 2, 2],
        "strict_img_size": False,
        "features": 8,
        "decoder": "dpt",
    },
    "nextvit": {"encoder": "nextvit_small", "depths": [1, 1, 5, 1], "features": 8, "decoder": "dpt"},
    "levit": {
        "encoder": "levit_384",
        "img_size": 64,
        "embed_dim": [16, 24, 32],
        "key_dim": 4,
        "num_heads": [2, 3, 4],
        "depth": [2, 2, 2],
        "features": 16,
        "decoder": "levit",
    },
}
KINDS = list(ARCHITECTURES)
SMALL = [kind for kind in KINDS if kind != "nextvit"]  # whose widths are fixed: 11 M parameters
FIXED = {"levit": {"target_size": [64, 64], "bound": "stretch"}}  # attention is learnt for one size


@pytest.fixture
def midas():
    def build(kind="large", **changes):
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "target_size": [128, 128],
            "bound": "upper",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "resolution": "default",
            "architecture": ARCHITECTURES[kind],
            "seed": 0,
        }
        return MiDaSTimm(**{**settings, **FIXED.get(kind, {}), **changes})

    return build


def released_names(network):
    """The weights of a network under the names that the release gives them: slices of the encoder, then scratch."""
    encoder = network.encoder
    scratch = {f"scratch.{key}": value for key, value in network.scratch.state_dict().items()}
    if hasattr(encoder, "levit"):
        return {f"pretrained.model.{key}": value for key, value in levit_names(encoder.levit).items()} | scratch
    if hasattr(encoder, "stem_0"):
        return {f"pretrained.model.{key}": value for key, value in next_vit_names(encoder).items()} | scratch
    if hasattr(encoder, "patch_embed"):
        original = SwinTransformer(
            img_size=128, window_size=4, embed_dim=8, depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2), num_classes=5
        )
        original.load_state_dict(
            {re.sub(r"^layers_", "layers.", key): value for key, value in encoder.state_dict().items()}, strict=False
        )
        state = {
            # the downsampling of a stage was the end of it
            re.sub(r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", key): value
            for key, value in original.state_dict().items()
        }
        state["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 16, 16)
        state["layers.0.blocks.1.attn.relative_position_index"] = torch.zeros(16, 16)
        return {f"pretrained.model.{key}": value for key, value in state.items()} | scratch
    if hasattr(encoder, "blocks"):
        layers = [
            [encoder.conv_stem, encoder.bn1, torch.nn.ReLU6(), *encoder.blocks[:2]],
            encoder.blocks[2:3],
            encoder.blocks[3:5],
            encoder.blocks[5:],
        ]
    else:
        first = [encoder.conv1, encoder.bn1, torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2, 1), encoder.layer1]
        layers = [first, encoder.layer2, encoder.layer3, encoder.layer4]
    pretrained = torch.nn.Module()
    for number, parts in enumerate(layers):
        pretrained.add_module(f"layer{number + 1}", torch.nn.Sequential(*parts))
    original = torch.nn.Module()
    original.pretrained, original.scratch = pretrained, network.scratch
    return original.state_dict()


def levit_names(levit):
    """As older versions of timm named them: every half of a block has a number."""
    state = {"head.l.weight": torch.zeros(5, 32), "head_dist.bn.weight": torch.zeros(32)}

    def add(name, layer):
        state[f"{name}.c.weight"] = layer.linear.weight.detach()
        state.update({f"{name}.bn.{key}": value for key, value in layer.bn.state_dict().items()})

    for number in range(4):
        add(f"patch_embed.{2 * number}", getattr(levit.stem, f"conv{number + 1}"))
    halves = []
    for stage in levit.stages:
        halves += [stage.downsample.attn_downsample, stage.downsample.mlp] if halves else []
        halves += [half for block in stage.blocks for half in (block.attn, block.mlp)]
    for number, half in enumerate(halves):
        name = f"blocks.{number}" if hasattr(half, "kv") else f"blocks.{number}.m"
        if hasattr(half, "attention_biases"):
            state[f"{name}.attention_biases"] = half.attention_biases.detach()
            state[f"{name}.attention_bias_idxs"] = half.attention_bias_idxs
            add(f"{name}.proj.1", half.proj.ln)
            for part in ("kv", "qkv"):
                if hasattr(half, part):
                    add(f"{name}.{part}", getattr(half, part))
            if hasattr(half, "q"):
                add(f"{name}.q.1", half.q.ln)
        else:
            add(f"{name}.0", half.ln1)
            add(f"{name}.2", half.ln2)
    return state


def next_vit_names(encoder):
    """As the original repository names them: the blocks of all stages are one list."""
    state, block = {"proj_head.0.bias": torch.zeros(5), "norm.weight": torch.ones(1024)}, 0
    for number in range(4):
        layers = getattr(encoder, f"stem_{number}").state_dict()
        state.update({f"stem.{number}.{key}": value for key, value in layers.items()})
    for number in range(4):
        for layer in getattr(encoder, f"stages_{number}").blocks:
            renamed = {key.replace("mlp.fc", "mlp.conv"): value for key, value in layer.state_dict().items()}
            state.update({f"features.{block}.{key}": value for key, value in renamed.items()})
            block += 1
    return state


@pytest.fixture
def release(tmp_path):
    """A released file of a tiny network: kind -> path, network."""

    def write(kind):
        network = MidasNet(**ARCHITECTURES[kind])
        randomise(network, seed=3)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):  # statistics are weights too
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
        path = tmp_path / f"{kind}.pt"
        torch.save({"optimizer": {}, "model": released_names(network)}, path)
        return path, network.eval()

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_arrives_where_it_belongs(midas, release, images, kind):
    path, network = release(kind)
    model = midas(kind, weights=str(path))
    model.configure_model()
    assert model.provenance.revision.startswith("sha256:")
    assert not model.provenance.random_weights
    loaded = model.network.state_dict()
    for key, value in network.state_dict().items():
        assert torch.equal(loaded[key], value), key
    pixels = torch.randn(1, 3, *model.input_size((128, 128)), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model.network(pixels), network(pixels))


@pytest.mark.parametrize(("kind", "keys"), [("large", 666), ("small", 482)])
def test_the_released_files_hold_as_many_tensors_as_the_original_networks(midas, kind, keys):
    full = {
        "large": {"encoder": "resnext101_32x8d", "features": 256, "decoder": "v2"},
        "small": {"encoder": "tf_efficientnet_lite3", "features": 64, "decoder": "v2_small"},
    }
    with torch.device("meta"):
        network = midas(architecture=full[kind]).build()
    assert len(released_names(network)) == keys


def original_forward(network, pixels, *, in_place):
    """The forward pass of the original repository, whose large model has its activations in place."""
    w = network.state_dict()

    def convolve(x, name, padding=1):
        return functional.conv2d(x, w[f"scratch.{name}.weight"], w.get(f"scratch.{name}.bias"), padding=padding)

    def unit(x, name):
        activate = functional.relu_ if in_place else functional.relu
        out = activate(x)
        out = convolve(out, f"{name}.conv1")
        out = activate(out)
        return convolve(out, f"{name}.conv2") + x

    maps = [m.permute(0, 3, 1, 2) if network.channels_last else m for m in network.encoder(pixels)]
    path = None
    for number, features in reversed(list(enumerate(maps, 1))):
        skip, name = convolve(features, f"layer{number}_rn"), f"refinenet{number}"
        path = skip if path is None else path + unit(skip, f"{name}.resConfUnit1")
        path = unit(path, f"{name}.resConfUnit2")
        finer = maps[number - 2].shape[-1] if number > 1 else 2 * maps[0].shape[-1]
        path = functional.interpolate(path, (finer, finer), mode="bilinear", align_corners=True)
        if f"scratch.{name}.out_conv.weight" in w:
            path = convolve(path, f"{name}.out_conv", padding=0)
    for number in (0, 2) if "scratch.stem_transpose.0.c.weight" in w else ():
        name = f"stem_transpose.{number}"
        path = functional.conv_transpose2d(path, w[f"scratch.{name}.c.weight"], stride=2, padding=1, output_padding=1)
        path = functional.hardswish(encoders.normalise(path, w, f"scratch.{name}.bn"))
    out = convolve(path, "output_conv.0")
    aligned = network.scratch.output_conv[1].align_corners
    out = functional.interpolate(out, scale_factor=2, mode="bilinear", align_corners=aligned)
    out = functional.relu(convolve(out, "output_conv.2"))
    return functional.relu(convolve(out, "output_conv.4", padding=0))


@pytest.mark.parametrize(
    ("kind", "in_place", "aligned"),
    [
        ("large", (True, False), False),
        ("small", (False, True), False),
        ("swin", (False, True), True),
        ("levit", (False, True), True),
    ],
)
def test_the_decoder_computes_what_the_original_does(release, kind, in_place, aligned):
    _, network = release(kind)
    assert network.scratch.output_conv[1].align_corners is aligned
    side = 64 if kind == "levit" else 128
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = network(pixels)
        original, other = (original_forward(network, pixels, in_place=choice) for choice in in_place)
    torch.testing.assert_close(ours, original, rtol=1e-5, atol=1e-6)
    assert ours.std() > 0.1 * ours.mean() > 0
    assert (ours - other).abs().max() > 0.1 * ours.mean()  # in place or not in place matters


@pytest.mark.parametrize(("kind", "hooks"), [("nextvit", [0, 1, 6, 7]), ("levit", [3, 7, 13])])
def test_the_encoder_computes_what_its_paper_says(midas, release, kind, hooks):
    path, _ = release(kind)
    model = midas(kind, weights=str(path))
    model.configure_model()
    prefix = "pretrained.model."
    released = torch.load(path, weights_only=True)["model"]
    weights = {key.removeprefix(prefix): value for key, value in released.items() if key.startswith(prefix)}
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, expected = (
            model.network.encoder(pixels),
            getattr(encoders, {"nextvit": "next_vit"}.get(kind, kind))(weights, pixels, hooks),
        )
    assert [m.shape for m in ours] == [m.shape for m in expected]
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5 * theirs.abs().max().item())


def test_a_block_too_many_is_reported(midas, release):
    path, _ = release("levit")
    content = torch.load(path, weights_only=True)
    content["model"]["pretrained.model.blocks.16.m.0.c.weight"] = torch.zeros(1)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"1 keys unexpected: pretrained\.model\.blocks\.16\.m\.0\.c\.weight$"):
        midas("levit", weights=str(path)).configure_model()


@pytest.mark.parametrize("resolution", ["native", 96])
def test_levit_knows_one_size(midas, resolution):
    with pytest.raises(ConfigError, match=f"resolution={resolution}: expected default, since LeViT's attention"):
        midas("levit", resolution=resolution)


def test_the_small_encoder_pads_as_tensorflow_does():
    # the same weights in the encoder that pads evenly give other features
    network = MidasNet(**ARCHITECTURES["small"])
    evenly = timm.create_model("efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4))
    randomise(network, seed=0)
    evenly.load_state_dict(network.encoder.state_dict())
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, other = network.eval().encoder(pixels)[0], evenly.eval()(pixels)[0]
    assert (ours - other).abs().max() > 0.1 * ours.abs().max()


@pytest.mark.parametrize(
    ("kind", "size"),
    [(kind, size) for kind in SMALL for size in ((48, 64), (75, 242), (120, 50))] + [("nextvit", (50, 90))],
)
def test_any_aspect_ratio(midas, release, images, kind, size):
    model = midas(kind, weights=str(release(kind)[0]))
    model.configure_model()
    with torch.inference_mode():
        disparity = model.infer(images(1, *size), ("a",))
    assert model.space is OutputSpace.AFFINE_DISPARITY
    assert disparity.shape == (1, 1, *size)
    assert disparity.isfinite().all()
    assert disparity.std() > 0.01 * disparity.abs().mean() > 0


@pytest.mark.parametrize("kind", SMALL)
def test_a_batch_predicts_what_its_images_predict_alone(midas, images, kind):
    model = midas(kind)
    model.configure_model()
    batch = images(4, 48, 80)
    with torch.inference_mode():
        together = model.infer(batch, ("a", "b", "c", "d"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5 * together.abs().max().item())


def test_preprocessing_and_upsampling_are_the_original_ones(midas, images, bicubic):
    model = midas()
    model.configure_model()
    seen = {}
    model.network.register_forward_hook(lambda _, args, output: seen.update(pixels=args[0], disparity=output))
    image = images(1, 75, 250)
    with torch.inference_mode():
        disparity = model.infer(image, ("a",))
    # the width may not exceed 128: 75 * 128 / 250 = 38.4, nearest to 32
    assert model.input_size((75, 250)) == (32, 128)
    mean, std = (np.reshape(values, (1, 3, 1, 1)) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    expected = (bicubic(image.numpy() / 255, (32, 128)) - mean) / std
    np.testing.assert_allclose(seen["pixels"].numpy(), expected, atol=1e-4)
    upsampled = bicubic(seen["disparity"].numpy(), (75, 250))
    np.testing.assert_allclose(disparity.numpy(), upsampled, atol=1e-4 * np.abs(upsampled).max())


@pytest.mark.parametrize("kind", SMALL)
def test_what_the_network_calls_disparity_is_returned_as_it_is(midas, images, kind):
    model = midas(kind)
    model.configure_model()
    with torch.no_grad():
        model.network.scratch.output_conv[4].weight.zero_()
        model.network.scratch.output_conv[4].bias.fill_(3)
    with torch.inference_mode():
        disparity = model.infer(images(1, 64, 64), ("a",))
    torch.testing.assert_close(disparity, torch.full((1, 1, 64, 64), 3.0))


def test_random_weights_are_labelled_and_follow_the_seed(midas, images):
    def predict(seed):
        model = midas(seed=seed)
        model.configure_model()
        assert model.provenance.random_weights
        with torch.inference_mode():
            return model.infer(images(1, 64, 96), ("a",))

    first = predict(0)
    assert first.std() > 0.01
    assert torch.equal(first, predict(0))
    assert not torch.allclose(first, predict(1))


@pytest.mark.parametrize("kind", SMALL)
def test_weights_are_the_same_under_any_defaults(midas, release, loaded_anywhere, kind):
    loaded_anywhere(lambda: midas(kind))
    path, _ = release(kind)
    loaded_anywhere(lambda: midas(kind, weights=str(path)))


def test_the_large_release_does_not_fit_the_small_model(midas, release):
    path, _ = release("large")
    with pytest.raises(CheckpointError, match=r"large\.pt: does not fit MidasNet: \d+ keys missing: encoder\.blocks"):
        midas("small", weights=str(path)).configure_model()


def test_counters_of_batches_may_be_missing_but_statistics_may_not(midas, release):
    path, _ = release("large")
    state = torch.load(path, weights_only=True)["model"]
    torch.save({key: state[key] for key in state if "num_batches_tracked" not in key}, path)
    midas(weights=str(path)).configure_model()
    torch.save({key: state[key] for key in state if key != "pretrained.layer1.1.running_mean"}, path)
    with pytest.raises(CheckpointError, match=r"1 keys missing: encoder\.bn1\.running_mean$"):
        midas(weights=str(path)).configure_model()


def test_the_hub_has_none(midas):
    with pytest.raises(CheckpointError, match=r"model\.weights=Intel/midas: this model is not on the hub"):
        midas(weights="Intel/midas").configure_model()
