import numpy as np
import pytest
import torch
from transformers import ZoeDepthForDepthEstimation, ZoeDepthImageProcessor

from src.core.prediction import OutputSpace
from src.model.families.zoedepth import ZoeDepth

KINDS = ["zoedepth", "zoedepth_nk"]


@pytest.fixture
def zoedepth(architecture):
    def build(kind="zoedepth", **changes):
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "target_size": [64, 96],
            "bound": "stretch",
            "pad": False,
            "mirror": True,
            "bin_range": None,
            "resolution": "default",
            "architecture": architecture(kind),
            "seed": 0,
        }
        return ZoeDepth(**{**settings, **changes})

    return build


@pytest.fixture
def network(tiny_network, images):
    def build(kind):
        network = tiny_network(ZoeDepthForDepthEstimation, kind)
        if kind == "zoedepth_nk":  # half of the images to each head: no head leads by more than the median
            with torch.inference_mode():
                logits = network(images(8, 64, 96).float() / 127.5 - 1).domain_logits
                lead = (logits[:, 0] - logits[:, 1]).sort().values[3:5].mean()
            with torch.no_grad():
                network.metric_head.mlp_classifier.linear2.bias[0] -= lead
        return network

    return build


@pytest.fixture
def loaded(zoedepth, publish, network):
    def build(kind="zoedepth", **changes):
        publish(network(kind), "Tiny/zoe")
        model = zoedepth(kind, weights="Tiny/zoe", **changes)
        model.configure_model()
        return model

    return build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (75, 242), (120, 50)])
def test_any_aspect_ratio(loaded, images, kind, size):
    model = loaded(kind)
    with torch.inference_mode():
        depth = model.infer(images(1, *size), ("a",))
    assert model.space is OutputSpace.METRIC_DEPTH
    assert model.input_size(size) == (64, 96)
    assert depth.shape == (1, 1, *size)
    assert (depth > 0).all()
    assert depth.std() > 0.001 * depth.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_predicts_what_its_images_predict_alone(loaded, images, kind):
    model = loaded(kind)
    batch = images(8, 64, 96)
    with torch.inference_mode():
        together = model.infer(batch, tuple("abcdefgh"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(8)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_image_takes_its_own_head_where_the_library_lets_the_batch_vote(loaded, network, images):
    model, library = loaded("zoedepth_nk", mirror=False), network("zoedepth_nk")
    pixels = images(8, 64, 96).float() / 127.5 - 1
    with torch.inference_mode():
        ours = model.network(pixels)
        alone = torch.cat([library(pixels[i : i + 1]).predicted_depth for i in range(8)])
        voted = library(pixels).predicted_depth
    assert ours.domain_logits.argmax(1).unique().tolist() == [0, 1]
    torch.testing.assert_close(ours.predicted_depth, alone, rtol=1e-4, atol=1e-5)
    assert (voted - alone).abs().max() > 0.01


def test_preprocessing_mirror_average_and_upsampling_are_the_original_ones(loaded, images, bilinear):
    model = loaded()
    seen = []
    model.network.register_forward_hook(lambda _, args, output: seen.append((args[0], output.predicted_depth)))
    image = images(1, 75, 120)
    with torch.inference_mode():
        depth = model.infer(image, ("a",))
    (straight, depth_1), (mirrored, depth_2) = [[value.numpy() for value in pair] for pair in seen]
    expected = (bilinear(image.numpy() / 255, (64, 96), align_corners=True) - 0.5) / 0.5
    np.testing.assert_allclose(straight, expected, atol=1e-5)
    np.testing.assert_allclose(mirrored, expected[..., ::-1], atol=1e-5)
    average = (depth_1 + depth_2[..., ::-1]) / 2
    np.testing.assert_allclose(depth[0].numpy(), bilinear(average, (75, 120), align_corners=True), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (75, 120), (120, 50)])
def test_inference_mode_is_that_of_the_librarys_image_processor(loaded, images, kind, size):
    # whose padding, resizing and averaging are those of the original to rounding, given multiples of 32
    model = loaded(kind, pad=True, bound="minimal")
    processor = ZoeDepthImageProcessor(size={"height": 64, "width": 96}, ensure_multiple_of=32)
    image = images(1, *size)
    with torch.inference_mode():
        pixels = processor(image, return_tensors="pt").pixel_values
        [expected] = processor.post_process_depth_estimation(
            model.network(pixels), [size], [size], outputs_flipped=model.network(pixels.flip(-1))
        )
        depth = model.infer(image, ("a",))
    assert model.input_size(size) == tuple(pixels.shape[-2:])
    torch.testing.assert_close(depth[0, 0], expected["predicted_depth"], rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        evaluated = loaded(kind).infer(image, ("a",))
    assert not torch.allclose(depth, evaluated, rtol=1e-3)


def test_the_border_of_inference_mode_is_the_published_one(zoedepth):
    model = zoedepth(pad=True, bound="minimal", target_size=[384, 512])
    assert model.border((480, 640)) == (46, 53)
    assert model.border((375, 1242)) == (41, 74)
    assert zoedepth().border((480, 640)) == (0, 0)


def test_in_inference_mode_a_batch_predicts_what_its_images_predict_alone(loaded, images):
    model = loaded("zoedepth_nk", pad=True, bound="minimal")
    batch = images(4, 64, 80)
    with torch.inference_mode():
        together = model.infer(batch, tuple("abcd"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_without_mirror_there_is_one_pass(loaded, images):
    model = loaded(mirror=False)
    passes = []
    model.network.register_forward_hook(lambda *_: passes.append(1))
    with torch.inference_mode():
        model.infer(images(1, 64, 96), ("a",))
    assert len(passes) == 1


def test_the_range_of_the_bins_can_be_corrected(loaded, images):
    # normed bins: depth = nearest + (farthest - nearest) * something that does not know the range, but for clipping
    image = images(1, 64, 96)
    with torch.inference_mode():
        believed = loaded().infer(image, ("a",))
        corrected = loaded(bin_range=[0.001, 80.0]).infer(image, ("a",))
    assert believed.max() <= 10
    ratio = (corrected - 0.001) / (believed - 0.001)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 79.999 / 9.999), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("resolution", "seen"), [("default", (64, 96)), ("native", (288, 416)), (128, (128, 192)), (100, (96, 160))]
)
def test_resolution_is_the_height_in_the_shape_of_the_training_size(zoedepth, resolution, seen):
    assert zoedepth(resolution=resolution).input_size((300, 410)) == seen


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_follow_the_seed(zoedepth, images, kind):
    def predict(seed):
        model = zoedepth(kind, seed=seed)
        model.configure_model()
        assert model.provenance.random_weights
        with torch.inference_mode():
            return model.infer(images(1, 64, 96), ("a",))

    first = predict(0)
    assert first.isfinite().all()
    assert torch.equal(first, predict(0))
    assert not torch.allclose(first, predict(1))
