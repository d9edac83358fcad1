import numpy as np
import pytest
import torch
from transformers import DPTForDepthEstimation

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.model.families.midas import MiDaS

KINDS = ["dpt_beit", "dpt_vit", "dpt_hybrid", "dpt_swin2"]


@pytest.fixture
def midas(architecture):
    def build(kind="dpt_beit", **changes):
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "target_size": [64, 64],
            "bound": "minimal",
            "resolution": "default",
            "architecture": architecture(kind),
            "seed": 0,
        }
        return MiDaS(**{**settings, **changes})

    return build


@pytest.fixture
def loaded(midas, publish, tiny_network):
    def build(kind="dpt_beit", **changes):
        publish(tiny_network(DPTForDepthEstimation, kind), "Tiny/dpt")
        model = midas(kind, weights="Tiny/dpt", **changes)
        model.configure_model()
        return model

    return build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (75, 242), (120, 50)])
def test_any_encoder_takes_any_aspect_ratio(loaded, images, kind, size):
    model = loaded(kind)
    assert model.provenance.random_weights is False
    with torch.inference_mode():
        disparity = model.infer(images(1, *size), ("a",))
    assert disparity.shape == (1, 1, *size)
    assert disparity.isfinite().all()
    assert disparity.std() > 0.01 * disparity.abs().mean() > 0


@pytest.mark.parametrize("kind", ["dpt_vit", "dpt_hybrid"])
def test_square_images_match_the_library_where_it_takes_them(loaded, kind):
    model = loaded(kind)
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, library = model.answer(pixels)[0], model.network(pixels).predicted_depth
    torch.testing.assert_close(ours, library, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_predicts_what_its_images_predict_alone(loaded, images, kind):
    model = loaded(kind)
    batch = images(4, 48, 80)
    with torch.inference_mode():
        together = model.infer(batch, ("a", "b", "c", "d"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5 * together.abs().max().item())


def test_preprocessing_and_upsampling_are_the_original_ones(loaded, images, bicubic):
    model = loaded()
    seen = {}
    model.network.register_forward_pre_hook(lambda _, args: seen.update(pixels=args[0]))
    model.network.register_forward_hook(lambda _, __, output: seen.update(depth=output.predicted_depth))
    image = images(1, 75, 250)
    with torch.inference_mode():
        disparity = model.infer(image, ("a",))
    # the scale nearest to 1 is the height's: 64 / 75; 250 * 64 / 75 = 213.3, six and a half times 32 rounds up to 7
    assert model.input_size((75, 250)) == (64, 224)
    expected = (bicubic(image.numpy() / 255, (64, 224)) - 0.5) / 0.5
    np.testing.assert_allclose(seen["pixels"].numpy(), expected, atol=5e-5)
    upsampled = bicubic(seen["depth"].numpy(), (75, 250))
    np.testing.assert_allclose(disparity[0].numpy(), upsampled, atol=1e-4 * np.abs(upsampled).max())


def test_what_the_network_calls_disparity_is_returned_as_it_is(loaded, images):
    model = loaded()
    assert model.space is OutputSpace.AFFINE_DISPARITY
    with torch.no_grad():
        model.network.head.head[4].weight.zero_()
        model.network.head.head[4].bias.fill_(3)
    with torch.inference_mode():
        disparity = model.infer(images(1, 64, 64), ("a",))
    torch.testing.assert_close(disparity, torch.full((1, 1, 64, 64), 3.0))


@pytest.mark.parametrize(
    ("resolution", "bound", "seen"),
    [
        ("default", "minimal", (64, 224)),
        ("default", "stretch", (64, 64)),
        ("native", "minimal", (288, 992)),
        (128, "minimal", (128, 416)),
        (128, "stretch", (128, 128)),
    ],
)
def test_resolution_follows_the_size_rule(midas, resolution, bound, seen):
    assert midas(resolution=resolution, bound=bound).input_size((300, 1000)) == seen


def test_a_resolution_that_is_none_is_refused(midas):
    with pytest.raises(ConfigError, match="expected default, native or a number of pixels, got 'big'"):
        midas(resolution="big")


def test_random_weights_are_labelled_and_follow_the_seed(midas, images):
    predictions = []
    for seed in (0, 0, 1):
        model = midas(seed=seed)
        model.configure_model()
        assert model.provenance.random_weights
        assert model.provenance.weights == "random"
        assert model.provenance.parameters == 121529
        with torch.inference_mode():
            predictions.append(model.infer(images(1, 64, 96), ("a",)))
    assert torch.equal(predictions[0], predictions[1])
    assert not torch.allclose(predictions[0], predictions[2])
    assert predictions[0].std() > 0.1


def test_the_resolved_commit_is_recorded(loaded):
    assert loaded().provenance.revision == "0123456789abcdef0123456789abcdef01234567"


def test_weights_that_no_forward_pass_reads_may_be_missing(midas, publish, tiny_network, images):
    network = tiny_network(DPTForDepthEstimation, "dpt_vit")
    unread = network.neck.fusion_stage.layers[0]
    snapshot = publish(network, "Tiny/full")
    del unread.residual_layer1
    publish(network, "Tiny/lean")
    predictions = []
    for weights in ("Tiny/full", "Tiny/lean", str(snapshot)):
        model = midas("dpt_vit", weights=weights)
        model.configure_model()
        with torch.inference_mode():
            predictions.append(model.infer(images(1, 64, 96), ("a",)))
    assert torch.equal(predictions[0], predictions[1])
    assert torch.equal(predictions[0], predictions[2])


def test_weights_that_are_read_may_not_be_missing(midas, publish, tiny_network):
    network = tiny_network(DPTForDepthEstimation, "dpt_vit")
    del network.neck.convs[3]
    publish(network, "Tiny/dpt")
    with pytest.raises(CheckpointError, match=r"does not fit DPTForDepthEstimation: 1 keys missing: neck\.convs\.3\.w"):
        midas("dpt_vit", weights="Tiny/dpt").configure_model()


def test_half_precision_weights_predict_in_single_precision(midas, publish, tiny_network, images):
    publish(tiny_network(DPTForDepthEstimation, "dpt_beit").half(), "Tiny/dpt")
    model = midas(weights="Tiny/dpt")
    model.configure_model()
    with torch.inference_mode():
        assert model.infer(images(1, 64, 64), ("a",)).dtype == torch.float32
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_checkpoint_of_another_family_is_refused(midas, publish, tiny_network):
    snapshot = publish(tiny_network(DPTForDepthEstimation, "dpt_vit"), "Tiny/dpt")
    config = snapshot / "config.json"
    config.write_text(config.read_text().replace('"model_type": "dpt"', '"model_type": "zoedepth"'))
    with pytest.raises(CheckpointError, match="Tiny/dpt: expected one of type dpt, got zoedepth"):
        midas("dpt_vit", weights="Tiny/dpt").configure_model()
