import json

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.core.seeding import derive_seed
from src.model.families.consensus import consensus
from src.model.families.marigold import Marigold
from tests.launching import shared_by

FLAVOURS = ["v1_0", "v1_1", "lcm"]


@pytest.fixture
def marigold(marigold_architecture):
    def build(flavour="v1_1", **changes):
        settings = {
            "weights": "random",
            "revision": None,
            "steps": None,
            "ensemble": 1,
            "ensembling": "upstream",
            "processing_resolution": None,
            "dtype": "float32",
            "tiny_vae": None,
            "vae_slicing": False,
            "resolution": "default",
            "architecture": marigold_architecture(flavour),
            "seed": 0,
        }
        return Marigold(**{**settings, **changes})

    return build


@pytest.fixture
def loaded(marigold, publish, tiny_pipeline):
    def build(flavour="v1_1", **changes):
        publish(tiny_pipeline(flavour), "Tiny/marigold")
        model = marigold(flavour, weights="Tiny/marigold", **changes)
        model.configure_model()
        return model

    return build


@torch.inference_mode()
def infer(model, images, names):
    return model.infer(images, tuple(names))


@pytest.mark.parametrize("size", [(48, 64), (30, 97), (90, 50)])
def test_any_aspect_ratio(loaded, images, size):
    model = loaded()
    depth = infer(model, images(1, *size), "a")
    assert model.space is OutputSpace.AFFINE_DEPTH
    assert depth.shape == (1, 1, *size)
    assert (depth >= 0).all()
    assert (depth <= 1).all()
    assert depth.std() > 0.01


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_image_keeps_its_noise_to_the_last_bit_in_every_batch(loaded, images, flavour):
    model = loaded(flavour)
    batch = images(3, 48, 64)
    noisy = []
    model.unet.register_forward_pre_hook(lambda _, args: noisy.append(args[0][:, 4:]))  # behind the image's latents

    def run(order):
        noisy.clear()
        prediction = infer(model, batch[order], ["abc"[i] for i in order])
        return prediction, noisy[0].clone()

    together, noise = run([0, 1, 2])
    turned, turned_noise = run([2, 0, 1])
    assert torch.equal(turned_noise, noise[[2, 0, 1]])
    # what differs is the rounding of convolutions over another batch or place in it, not what is drawn
    torch.testing.assert_close(turned, together[[2, 0, 1]], rtol=0, atol=1e-5)
    for i in range(3):
        alone, alone_noise = run([i])
        assert torch.equal(alone_noise[0], noise[i])
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-5)
    renamed = infer(model, batch[:1], "z")
    assert (renamed - together[:1]).abs().max() > 0.01


@pytest.mark.slow
def test_two_processes_predict_the_same_bits_as_one(command, loaded, images, tmp_path):
    batch = images(3, 24, 32)
    for name, image in zip("abc", batch, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{name}.png")
        np.save(tmp_path / f"{name}.npy", np.ones((24, 32), np.float32))
    model = loaded("lcm", seed=3)  # which draws noise in every step
    done = command(
        "model=marigold_lcm", "model.weights=Tiny/marigold", "seed=3", "data=folder", f"data.images={tmp_path}/*.png",
        f"data.depth={tmp_path}/*.npy", "data.depth_scale=1.0", "data.depth_range=[0.1,10.0]",
        "protocol=[affine_depth]", "save_predictions=float32", "batch_size=1", f"paths.output_dir={tmp_path}/out",
        *shared_by(2), fresh=True,  # the library reads where its cache is when it is imported
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "kept in float32" not in done.stderr
    [folder] = tmp_path.glob("out/marigold_lcm/folder/*/predictions")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, image in zip("abc", batch, strict=True):
            alone = infer(model, image[None], name)[0, 0].numpy()
            np.testing.assert_array_equal(np.load(folder / f"{name}.npz")["values"], alone)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("flavour", ["v1_1", "lcm"])
def test_an_ensemble_is_the_same_to_the_last_bit_in_every_batch(loaded, images, flavour):
    model = loaded(flavour, ensemble=3)
    batch = images(2, 24, 32)
    together = infer(model, batch, "ab")
    alone = torch.cat([infer(model, batch[i : i + 1], "ab"[i]) for i in range(2)])
    assert torch.equal(together, alone)
    assert together.std() > 0.01
    assert not torch.equal(together, infer(loaded(flavour, ensemble=1), batch, "ab"))


def test_a_sliced_autoencoder_sees_members_one_by_one_and_the_denoiser_all(loaded, images):
    batch = images(2, 24, 32)
    ensemble = {"ensemble": 3, "ensembling": "closed_form"}
    whole, sliced = loaded(**ensemble), loaded(**ensemble, vae_slicing=True)
    seen = {"unet": [], "encoder": [], "decoder": []}
    for name, part in (("unet", sliced.unet), ("encoder", sliced.vae.encoder), ("decoder", sliced.vae.decoder)):
        part.register_forward_pre_hook(lambda _, args, name=name: seen[name].append(len(args[0])))

    torch.testing.assert_close(infer(sliced, batch, "ab"), infer(whole, batch, "ab"), rtol=0, atol=1e-5)
    assert set(seen["unet"]) == {6}
    assert seen["encoder"] == [1] * 2
    assert seen["decoder"] == [1] * 6


@pytest.mark.parametrize("flavour", ["v1_1", "lcm"])
def test_closed_form_ensembles_go_through_the_network_together(loaded, images, flavour):
    model = loaded(flavour, ensemble=3, ensembling="closed_form")
    calls = []
    handle = model.unet.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    batch = images(2, 24, 32)
    together = infer(model, batch, "ab")
    handle.remove()
    assert calls == [6] * model._pipeline.default_denoising_steps
    alone = torch.cat([infer(model, batch[i : i + 1], "ab"[i]) for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    assert together.std() > 0.01


def test_a_closed_form_ensemble_is_the_consensus_of_its_members(loaded, images):
    image = images(1, 48, 64)
    members = []
    model = loaded(ensemble=3, ensembling="closed_form")
    decode = model._pipeline.decode_prediction
    model._pipeline.decode_prediction = lambda latent: members.append(decode(latent)) or members[-1]
    prediction = infer(model, image, "a")
    assert members[0].shape == (3, 1, 48, 64)
    torch.testing.assert_close(prediction, consensus(members[0]))
    # the same members as upstream's, so about the same result
    upstream = infer(loaded(ensemble=3), image, "a")
    assert np.corrcoef(prediction.flatten(), upstream.flatten())[0, 1] > 0.9


@pytest.mark.parametrize(("flavour", "ensemble"), [("v1_0", 1), ("v1_1", 3), ("lcm", 1)])
def test_the_prediction_is_that_of_the_librarys_pipeline(loaded, publish, tiny_pipeline, images, flavour, ensemble):
    image = images(1, 40, 64)
    ours = infer(loaded(flavour, ensemble=ensemble, seed=5), image, "a")
    snapshot = publish(tiny_pipeline(flavour), "Tiny/marigold")
    pipeline = diffusers.MarigoldDepthPipeline.from_pretrained(snapshot, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(derive_seed(5, "a", member)) for member in range(ensemble)]
    library = pipeline(
        image.float() / 255, ensemble_size=ensemble, batch_size=ensemble, generator=generators, output_type="pt"
    ).prediction
    # the ensemble's alignment amplifies rounding; here the input is the same to the last bit
    torch.testing.assert_close(ours, library, rtol=0, atol=1e-6)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_checkpoint_is_the_same_under_any_defaults(
    marigold, publish, tiny_pipeline, loaded_anywhere, images, flavour
):
    publish(tiny_pipeline(flavour), "Tiny/marigold")
    publish(diffusers.AutoencoderTiny(), "Tiny/vae")
    for tiny in (None, "Tiny/vae"):
        model = loaded_anywhere(lambda tiny=tiny: marigold(flavour, weights="Tiny/marigold", tiny_vae=tiny))
        assert infer(model, images(1, 24, 32), "a").isfinite().all()


def test_the_seed_changes_the_noise(loaded, images):
    image = images(1, 48, 64)
    first = infer(loaded(seed=0), image, "a")
    assert torch.equal(first, infer(loaded(seed=0), image, "a"))
    assert (first - infer(loaded(seed=1), image, "a")).abs().max() > 0.01


def test_the_image_is_shrunk_with_antialiasing_and_padded_by_repetition(loaded, images):
    model = loaded()
    seen = {}
    model.vae.encoder.register_forward_pre_hook(lambda _, args: seen.update(pixels=args[0]))
    image = images(1, 90, 128)
    infer(model, image, "a")

    def matrix(source, target):  # triangle as wide as the step, cut off at the border
        scale = source / target
        weights = np.zeros((target, source))
        for i in range(target):
            centre = (i + 0.5) * scale
            weights[i] = np.maximum(0, 1 - np.abs((np.arange(source) + 0.5 - centre) / scale))
        return weights / weights.sum(1, keepdims=True)

    # 90 x 128 at a longer side of 64 is 45 x 64, padded to 48 x 64
    shrunk = matrix(90, 45) @ (image[0].numpy() / 255 * 2 - 1) @ matrix(128, 64).T
    expected = np.concatenate([shrunk, np.repeat(shrunk[:, -1:], 3, 1)], 1)
    assert model.input_size((90, 128)) == (48, 64)
    np.testing.assert_allclose(seen["pixels"][0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("decoded", "depth"), [(-1.0, 0.0), (0.0, 0.5), (0.6, 0.8), (7.0, 1.0)])
def test_what_the_decoder_calls_far_is_far(loaded, images, decoded, depth):
    model = loaded()
    with torch.no_grad():
        model.vae.decoder.conv_out.weight.zero_()
        model.vae.decoder.conv_out.bias.fill_(decoded)
    prediction = infer(model, images(1, 48, 64), "a")
    torch.testing.assert_close(prediction, torch.full((1, 1, 48, 64), depth))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, (48, 64)),
        ({"processing_resolution": 128}, (96, 128)),
        ({"resolution": 32}, (24, 32)),
        ({"resolution": 70, "processing_resolution": 128}, (56, 72)),
        ({"resolution": "native"}, (304, 408)),
    ],
)
def test_resolution_is_the_longer_side(loaded, settings, size):
    assert loaded(**settings).input_size((300, 405)) == size


def test_native_resolution_is_what_the_network_gets(loaded, images):
    model = loaded(resolution="native", steps=1)
    seen = {}
    model.vae.encoder.register_forward_pre_hook(lambda _, args: seen.update(size=tuple(args[0].shape[-2:])))
    infer(model, images(1, 50, 75), "a")
    assert seen["size"] == model.input_size((50, 75)) == (56, 80)


@pytest.mark.parametrize(("steps", "passes"), [(None, 2), (1, 1), (3, 3)])
def test_steps_are_the_checkpoints_own_unless_said(loaded, images, steps, passes):
    model = loaded(steps=steps)
    calls = []
    model.unet.register_forward_hook(lambda *_: calls.append(1))
    infer(model, images(2, 48, 64), "ab")
    assert len(calls) == passes


def test_the_text_encoder_is_used_once_and_let_go(loaded, tiny_pipeline):
    model, pipeline = loaded(), tiny_pipeline()
    expected = pipeline.text_encoder(torch.tensor([[0, 1]]))[0]
    torch.testing.assert_close(model.empty_text, expected)
    count = sum(p.numel() for part in (pipeline.unet, pipeline.vae) for p in part.parameters())
    assert model.provenance.parameters == count
    assert model.provenance.revision == "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_random_weights_are_labelled_and_follow_the_seed(marigold, images, flavour):
    def predict(seed):
        model = marigold(flavour, seed=seed)
        model.configure_model()
        assert model.provenance.random_weights
        return infer(model, images(1, 48, 64), "a")

    first = predict(0)
    assert first.std() > 0.01
    assert torch.equal(first, predict(0))
    assert not torch.allclose(first, predict(1))


@pytest.mark.parametrize(
    "change",
    [
        {"prediction_type": "disparity"},
        {"shift_invariant": False},
        {"_class_name": "StableDiffusionPipeline"},
        {"scheduler": ["diffusers", "PNDMScheduler"]},
    ],
)
def test_another_kind_of_pipeline_is_refused(marigold, publish, tiny_pipeline, change):
    index = publish(tiny_pipeline(), "Tiny/marigold") / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **change}))
    with pytest.raises(CheckpointError, match="expected a Marigold pipeline for affine-invariant depth"):
        marigold(weights="Tiny/marigold").configure_model()


def test_a_part_that_does_not_fit_is_named(marigold, publish, tiny_pipeline):
    file = publish(tiny_pipeline(), "Tiny/marigold") / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_in.weight"]
    weights["conv_inn.weight"] = torch.zeros(1)
    save_file(weights, file)
    with pytest.raises(CheckpointError, match=r"unet: .*1 keys missing: conv_in\.w.*1 keys unexpected: conv_inn\.w"):
        marigold(weights="Tiny/marigold").configure_model()


def test_a_missing_part_is_named(marigold, publish, tiny_pipeline):
    folder = publish(tiny_pipeline(), "Tiny/marigold")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no vae/\*\.safetensors"):
        marigold(weights=str(folder)).configure_model()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"ensemble": 0}, {"processing_resolution": 100}])
def test_impossible_settings_are_refused(marigold, wrong):
    with pytest.raises(
        ConfigError, match="expected steps >= 1, ensemble >= 1 and a processing_resolution in multiples"
    ):
        marigold(**wrong)


def test_an_unknown_way_of_ensembling_is_refused(marigold):
    with pytest.raises(ConfigError, match="expected ensembling to be upstream or closed_form, got 'mean'"):
        marigold(ensembling="mean")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_the_checkpoint_brings_along_is_recorded(loaded, flavour):
    assert loaded(flavour, ensemble=2).provenance.settings == {
        "steps": 2,
        "ensemble": 2,
        "ensembling": "upstream",
        "processing_resolution": 64,
        "scheduler": "LCMScheduler" if flavour == "lcm" else "DDIMScheduler",
        "timestep_spacing": "trailing" if flavour == "v1_1" else "leading",
        "dtype": "float32",
        "vae": "own",
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.05), ("bfloat16", 0.2)])
def test_half_precision_is_near_and_recorded(loaded, images, dtype, tolerance):
    image = images(1, 48, 64)
    model = loaded(dtype=dtype)
    # drawn in the type of the networks, so that the noise itself differs: given here
    noise = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    options = {"processing_resolution": 64, "output_type": "pt"}
    model._pipeline.empty_text_embedding = model.empty_text
    full = loaded()
    full._pipeline.empty_text_embedding = full.empty_text
    with torch.inference_mode():
        half = model._pipeline(image, latents=noise.to(model.network_dtype), **options).prediction.float()
        single = full._pipeline(image, latents=noise, **options).prediction
    assert {p.dtype for p in model.parameters()} == {model.network_dtype}
    assert model.provenance.settings["dtype"] == dtype
    assert (half - single).abs().mean() < tolerance * single.std()
    assert not torch.equal(half, single)
    assert infer(model, image, "a").dtype == torch.float32


def test_a_tiny_autoencoder_takes_the_place_of_the_checkpoints(loaded, publish, images):
    publish(diffusers.AutoencoderTiny(), "Tiny/vae")
    model = loaded(tiny_vae="Tiny/vae")
    assert isinstance(model.vae, diffusers.AutoencoderTiny)
    assert model.provenance.settings["vae"] == "Tiny/vae 0123456789abcdef0123456789abcdef01234567"
    depth = infer(model, images(2, 48, 64), "ab")
    assert depth.shape == (2, 1, 48, 64)
    assert depth.isfinite().all()


def test_an_unknown_type_of_numbers_is_refused(marigold):
    with pytest.raises(ConfigError, match="expected dtype to be one of float32, float16, bfloat16, got 'int8'"):
        marigold(dtype="int8")
