import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.model.families.depth_anything import DepthAnything

METRIC = {"depth_estimation_type": "metric", "max_depth": 20}


@pytest.fixture
def depth_anything(architecture):
    def build(**changes):
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "space": "affine_disparity",
            "align_corners": True,
            "target_size": [70, 70],
            "bound": "lower",
            "resolution": "default",
            "architecture": architecture("depth_anything"),
            "seed": 0,
        }
        return DepthAnything(**{**settings, **changes})

    return build


@pytest.fixture
def loaded(depth_anything, publish, tiny_network):
    def build(space="affine_disparity", **changes):
        kind = METRIC if space == "metric_depth" else {}
        publish(tiny_network(DepthAnythingForDepthEstimation, "depth_anything", **kind), "Tiny/da")
        model = depth_anything(weights="Tiny/da", space=space, **changes)
        model.configure_model()
        return model

    return build


@pytest.mark.parametrize("space", ["affine_disparity", "metric_depth"])
@pytest.mark.parametrize("size", [(48, 64), (75, 242), (120, 50)])
def test_any_aspect_ratio(loaded, images, space, size):
    model = loaded(space)
    with torch.inference_mode():
        values = model.infer(images(1, *size), ("a",))
    assert model.space is OutputSpace(space)
    assert values.shape == (1, 1, *size)
    assert values.isfinite().all()
    assert values.std() > 0.01 * values.abs().mean() > 0


def test_a_batch_predicts_what_its_images_predict_alone(loaded, images):
    model = loaded()
    batch = images(4, 48, 80)
    with torch.inference_mode():
        together = model.infer(batch, ("a", "b", "c", "d"))
        alone = torch.cat([model.infer(batch[i : i + 1], ("x",)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5 * together.abs().max().item())


@pytest.mark.parametrize("align_corners", [True, False])
def test_preprocessing_and_upsampling_are_the_original_ones(loaded, images, bicubic, bilinear, align_corners):
    model = loaded(align_corners=align_corners)
    seen = {}
    model.network.register_forward_pre_hook(lambda _, args: seen.update(pixels=args[0]))
    model.network.register_forward_hook(lambda _, __, output: seen.update(depth=output.predicted_depth))
    image = images(1, 50, 60)
    with torch.inference_mode():
        disparity = model.infer(image, ("a",))
    # height must reach 70; 60 * 70 / 50 = 84 is a multiple of 14
    assert model.input_size((50, 60)) == (70, 84)
    mean, std = (np.reshape(values, (1, 3, 1, 1)) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    expected = (bicubic(image.numpy() / 255, (70, 84)) - mean) / std
    np.testing.assert_allclose(seen["pixels"].numpy(), expected, atol=1e-4)
    upsampled = bilinear(seen["depth"].numpy(), (50, 60), align_corners=align_corners)
    np.testing.assert_allclose(disparity[0].numpy(), upsampled, atol=1e-4 * np.abs(upsampled).max())


def test_position_embeddings_are_resampled_as_in_dinov2(loaded):
    model = loaded()
    embeddings = model.network.backbone.embeddings
    rows, columns, channels = 7, 11, 32
    tokens = torch.zeros(1, 1 + rows * columns, channels)
    ours = embeddings.interpolate_pos_encoding(tokens, rows * 14, columns * 14)[0].detach().numpy()
    learnt = embeddings.position_embeddings[0].detach().numpy().astype(np.float64)
    np.testing.assert_array_equal(ours[0], learnt[0])

    def weight(x):
        x, a = abs(x), -0.75
        near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
        return near if x <= 1 else far if x < 2 else 0.0

    def matrix(target):  # the grid is 5 x 5; the step between samples is 5 / (target + 0.1) of its cells
        result = np.zeros((target, 5))
        for i in range(target):
            centre = (i + 0.5) * 5 / (target + 0.1) - 0.5
            for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                result[i, min(max(tap, 0), 4)] += weight(centre - tap)
        return result

    expected = np.einsum("ia,jb,abc->ijc", matrix(rows), matrix(columns), learnt[1:].reshape(5, 5, channels))
    np.testing.assert_allclose(ours[1:], expected.reshape(-1, channels), atol=1e-6)


def test_the_learnt_grid_is_used_as_it_is_at_its_own_size(loaded):
    embeddings = loaded().network.backbone.embeddings
    tokens = torch.zeros(1, 26, 32)
    assert torch.equal(embeddings.interpolate_pos_encoding(tokens, 70, 70), embeddings.position_embeddings)


@pytest.mark.parametrize(("space", "expected"), [("affine_disparity", 3.0), ("metric_depth", 20 / (1 + np.exp(-3)))])
def test_what_the_network_predicts_is_returned_as_it_is(loaded, images, space, expected):
    model = loaded(space)
    with torch.no_grad():
        model.network.head.conv3.weight.zero_()
        model.network.head.conv3.bias.fill_(3)
    with torch.inference_mode():
        values = model.infer(images(1, 60, 70), ("a",))
    torch.testing.assert_close(values, torch.full((1, 1, 60, 70), expected, dtype=torch.float32))


@pytest.mark.parametrize(
    ("resolution", "seen"), [("default", (70, 98)), ("native", (294, 406)), (140, (140, 196)), (77, (84, 112))]
)
def test_resolution_is_the_lower_bound_of_both_sides(depth_anything, resolution, seen):
    assert depth_anything(resolution=resolution).input_size((300, 410)) == seen


def test_published_input_size_of_480_by_640(depth_anything):
    assert depth_anything(target_size=[518, 518]).input_size((480, 640)) == (518, 686)


@pytest.mark.parametrize(("space", "kind"), [("metric_depth", {}), ("affine_disparity", METRIC)])
def test_a_checkpoint_that_predicts_in_another_space_is_refused(depth_anything, publish, tiny_network, space, kind):
    publish(tiny_network(DepthAnythingForDepthEstimation, "depth_anything", **kind), "Tiny/da")
    with pytest.raises(CheckpointError, match=f"Tiny/da: it is a .* model, which does not predict {space}"):
        depth_anything(weights="Tiny/da", space=space).configure_model()


def test_random_weights_follow_space_and_seed(depth_anything, architecture, images):
    def predict(seed):
        model = depth_anything(
            space="metric_depth", architecture={**architecture("depth_anything"), **METRIC}, seed=seed
        )
        model.configure_model()
        assert model.provenance.random_weights
        with torch.inference_mode():
            return model.infer(images(1, 70, 98), ("a",))

    first = predict(0)
    assert torch.equal(first, predict(0))
    assert not torch.allclose(first, predict(1))
    assert (first >= 0).all()
    assert (first <= 20).all()


def test_an_unknown_space_is_refused(depth_anything):
    with pytest.raises(ConfigError, match="expected an output space"):
        depth_anything(space="depth")
