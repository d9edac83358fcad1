import re

import numpy as np
import pytest
import timm
import torch
from timm.models.swin_transformer import SwinTransformer
from torch.nn import functional

from src.core.errors import CheckpointError
from src.core.prediction import OutputSpace
from src.model.midas_timm import MidasNet, MiDaSTimm
from src.model.randomise import randomise

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
}
KINDS = list(ARCHITECTURES)


@pytest.fixture
def midas():
    def build(kind="large", **changes):
        settings = {
            "weights": "random",
            "revision": None,
            "target_size": [128, 128],
            "bound": "upper",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "resolution": "default",
            "architecture": ARCHITECTURES[kind],
            "seed": 0,
        }
        return MiDaSTimm(**{**settings, **changes})

    return build


def released_names(network):
    """The weights of a network under the names that the release gives them: slices of the encoder, then scratch."""
    encoder = network.encoder
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
        scratch = {f"scratch.{key}": value for key, value in network.scratch.state_dict().items()}
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


@pytest.fixture
def release(tmp_path):
    """A released file of a tiny network: kind -> path, network."""

    def write(kind):
        network = MidasNet(**ARCHITECTURES[kind])
        randomise(network, seed=3)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # statistics are weights too
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
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
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

    path = None
    for number, features in reversed(list(enumerate(network.encoder(pixels), 1))):
        if network.channels_last:
            features = features.permute(0, 3, 1, 2)
        skip, name = convolve(features, f"layer{number}_rn"), f"refinenet{number}"
        path = skip if path is None else path + unit(skip, f"{name}.resConfUnit1")
        path = unit(path, f"{name}.resConfUnit2")
        path = functional.interpolate(path, scale_factor=2, mode="bilinear", align_corners=True)
        if f"scratch.{name}.out_conv.weight" in w:
            path = convolve(path, f"{name}.out_conv", padding=0)
    out = convolve(path, "output_conv.0")
    out = functional.interpolate(out, scale_factor=2, mode="bilinear", align_corners=network.channels_last)
    out = functional.relu(convolve(out, "output_conv.2"))
    return functional.relu(convolve(out, "output_conv.4", padding=0))


@pytest.mark.parametrize(
    ("kind", "in_place"), [("large", (True, False)), ("small", (False, True)), ("swin", (False, True))]
)
def test_the_decoder_computes_what_the_original_does(release, kind, in_place):
    _, network = release(kind)
    pixels = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = network(pixels)
        original, other = (original_forward(network, pixels, in_place=choice) for choice in in_place)
    torch.testing.assert_close(ours, original, rtol=1e-5, atol=1e-6)
    assert ours.std() > 0.01
    assert (ours - other).abs().max() > 0.01  # in place or not in place matters


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (75, 242), (120, 50)])
def test_any_aspect_ratio(midas, release, images, kind, size):
    model = midas(kind, weights=str(release(kind)[0]))
    model.configure_model()
    with torch.inference_mode():
        disparity = model.infer(images(1, *size), ("a",))
    assert model.space is OutputSpace.AFFINE_DISPARITY
    assert disparity.shape == (1, 1, *size)
    assert disparity.isfinite().all()
    assert disparity.std() > 0.01 * disparity.abs().mean() > 0


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", KINDS)
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
