import math
import re

import numpy as np
import pytest
import torch
from transformers import DepthProForDepthEstimation, DepthProImageProcessor

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.core.sample import Sample
from src.model.families.depth_pro import DepthPro
from tests.reference import depth_pro as reference


@pytest.fixture
def depth_pro(architecture):
    def build(**changes):
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "focal_length": "predicted",
            "target_size": [128, 128],
            "bound": "stretch",
            "resolution": "default",
            "architecture": architecture("depth_pro"),
            "seed": 0,
        }
        return DepthPro(**{**settings, **changes})

    return build


@pytest.fixture
def network(tiny_network):
    """A tiny network that sees some ten degrees, differently for every image."""

    def build(**changes):
        network = tiny_network(DepthProForDepthEstimation, "depth_pro", **changes)
        if network.use_fov_model:
            with torch.no_grad():
                network.fov_model.head.layers[-1].bias.fill_(20)
        return network

    return build


@pytest.fixture
def loaded(depth_pro, publish, network):
    def build(**changes):
        publish(network(), "Tiny/pro")
        model = depth_pro(weights="Tiny/pro", **changes)
        model.configure_model()
        return model

    return build


def sample_of(image, intrinsics=None):
    b, _, h, w = image.shape
    return Sample(
        image=image,
        depth=torch.ones(b, 1, h, w),
        valid=torch.ones(b, 1, h, w, dtype=torch.bool),
        depth_range=(0.1, 10.0),
        sample_id=tuple(f"image {i}" for i in range(b)),
        index=tuple(range(b)),
        cluster=("",) * b,
        slice=("",) * b,
        intrinsics=intrinsics,
    )


@pytest.mark.parametrize("size", [(48, 64), (75, 242), (120, 50)])
def test_the_prediction_is_that_of_the_librarys_image_processor(loaded, images, size):
    model = loaded()
    image = images(2, *size)
    processor = DepthProImageProcessor(size={"height": 128, "width": 128})
    with torch.inference_mode():
        outputs = model.network(processor(image, return_tensors="pt").pixel_values)
        expected = processor.post_process_depth_estimation(outputs, [size] * 2)
        prediction = model.predict(sample_of(image))
    assert prediction.space is OutputSpace.METRIC_DEPTH
    assert prediction.input_size == (128, 128)
    focal = torch.stack([one["focal_length"] for one in expected])
    assert focal.std() > 0
    for i in range(2):
        torch.testing.assert_close(prediction.values[i, 0], expected[i]["predicted_depth"], rtol=1e-4, atol=0)
    assert prediction.intrinsics is not None
    torch.testing.assert_close(prediction.intrinsics[:, 0, 0], focal)
    torch.testing.assert_close(prediction.intrinsics[:, 1, 1], focal)
    assert prediction.intrinsics[0, :2, 2].tolist() == [size[1] / 2, size[0] / 2]
    assert prediction.values.std() > 0.001 * prediction.values.mean()
    with torch.inference_mode():
        assert torch.equal(model.infer(image, ("a", "b")), prediction.values)


@torch.no_grad()
def fix(model, inverse, degrees):
    for layer, value in ((model.network.head.layers[4], inverse), (model.network.fov_model.head.layers[-1], degrees)):
        layer.weight.zero_()
        layer.bias.fill_(value)


@pytest.mark.parametrize("degrees", [60.0, 90.0])
def test_metres_follow_from_the_field_of_view(loaded, images, degrees):
    # the canonical camera has a focal length of one image width: inverse depth is 0.5 / m times width over focal length
    model = loaded()
    fix(model, 0.5, degrees)
    with torch.inference_mode():
        depth = model.infer(images(1, 64, 80), ("a",))
    ratio = 0.5 / math.tan(math.radians(degrees) / 2)  # focal length in widths of the image
    torch.testing.assert_close(depth, torch.full((1, 1, 64, 80), ratio / 0.5))


@pytest.mark.parametrize(("inverse", "depth"), [(0.0, 1e4), (1e6, 1e-4)])
def test_depth_is_bounded_as_in_the_original(loaded, images, inverse, depth):
    model = loaded()
    fix(model, inverse, 60.0)
    with torch.inference_mode():
        torch.testing.assert_close(model.infer(images(1, 64, 80), ("a",)), torch.full((1, 1, 64, 80), depth))


def test_the_true_focal_length_replaces_the_predicted_one(loaded, images):
    image = images(2, 64, 80)
    camera = torch.tensor([[[70.0, 0, 40], [0, 71, 32], [0, 0, 1]]]).repeat(2, 1, 1)
    camera[1, 0, 0] = 35
    with torch.inference_mode():
        predicted = loaded().predict(sample_of(image, camera))
        known = loaded(focal_length="ground_truth").predict(sample_of(image, camera))
    assert known.intrinsics is None
    assert predicted.intrinsics is not None
    ratio = predicted.values / known.values
    for i, focal in enumerate((70.0, 35.0)):
        expected = predicted.intrinsics[i, 0, 0] / focal
        torch.testing.assert_close(ratio[i], torch.full_like(ratio[i], expected.item()), rtol=1e-4, atol=0)


def test_a_focal_length_that_is_not_known_is_asked_for(loaded, images):
    with pytest.raises(PredictionError, match="focal length of 'image 0' is not known; use focal_length=predicted"):
        loaded(focal_length="ground_truth").predict(sample_of(images(1, 64, 80)))


def test_a_batch_predicts_what_its_images_predict_alone(loaded, images):
    model = loaded()
    batch = images(4, 48, 80)
    with torch.inference_mode():
        together = model.infer(batch, tuple("abcd"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=0)


def test_preprocessing_is_the_original_one(loaded, images, bilinear):
    model = loaded()
    seen = {}
    model.network.register_forward_pre_hook(lambda _, args: seen.update(pixels=args[0]))
    image = images(1, 50, 200)
    with torch.inference_mode():
        model.infer(image, ("a",))
    expected = bilinear(image.numpy() / 127.5 - 1, (128, 128), align_corners=False)
    np.testing.assert_allclose(seen["pixels"].numpy(), expected, atol=1e-5)


def test_a_checkpoint_without_a_field_of_view_is_refused(depth_pro, publish, network):
    publish(network(use_fov_model=False), "Tiny/pro")
    with pytest.raises(CheckpointError, match=r"Tiny/pro: expected a head for the field of view"):
        depth_pro(weights="Tiny/pro").configure_model()


@pytest.mark.parametrize("wrong", [{"resolution": 768}, {"resolution": "native"}, {"focal_length": "guessed"}])
def test_impossible_settings_are_refused(depth_pro, wrong):
    with pytest.raises(ConfigError, match="depth_pro: expected resolution=default and a focal_length"):
        depth_pro(**wrong)


@pytest.fixture
def from_release(depth_pro, architecture, tmp_path):
    def build(state):
        torch.save(state, tmp_path / "depth_pro.pt")
        model = depth_pro(weights=str(tmp_path / "depth_pro.pt"), architecture=architecture("depth_pro_release"))
        model.configure_model()
        return model

    return build


def test_a_release_computes_what_the_paper_says(from_release, depth_pro_release):
    state = depth_pro_release
    model = from_release(state)
    assert model.provenance.revision.startswith("sha256:")
    assert not model.provenance.random_weights
    pixels = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        output = model.network(pixels)
        inverse, view = reference.depth_pro(state, pixels, heads=2, side=32, hooks=(0, 1), cut=(1, 2))
    assert inverse.std() > 0.1 * inverse.mean() > 0
    assert view.std() > 0
    scale = inverse.abs().max().item()
    torch.testing.assert_close(output.predicted_depth[:, None], inverse, rtol=0, atol=1e-4 * scale)
    torch.testing.assert_close(output.field_of_view, view, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("lost", "name"),
    [
        ("encoder.upsample_latent0.3.weight", "depth_pro.neck.feature_upsample.intermediate.1.layers.3.weight"),
        ("decoder.fusions.0.out_conv.bias", "fusion_stage.final.projection.bias"),
        ("fov.downsample.0.bias", "fov_model.conv.bias"),
    ],
)
def test_a_release_that_does_not_fit_names_its_keys(from_release, depth_pro_release, lost, name):
    state = depth_pro_release
    state["surplus"] = state.pop(lost)
    found = rf"depth_pro\.pt: does not fit .*1 keys missing: {re.escape(name)}; 1 keys unexpected: surplus"
    with pytest.raises(CheckpointError, match=found):
        from_release(state)


def test_random_weights_follow_the_seed(depth_pro, images):
    def predict(seed):
        model = depth_pro(seed=seed)
        model.configure_model()
        assert model.provenance.random_weights
        with torch.inference_mode():
            return model.infer(images(1, 64, 96), ("a",))

    first = predict(0)
    assert first.isfinite().all()
    assert torch.equal(first, predict(0))
    assert not torch.allclose(first, predict(1))
