import io

import numpy as np
import pytest
import torch
from PIL import Image

from src.core.errors import ConfigError
from src.data.base import DepthDataset, Frame
from src.data.corruption.catalogue import CORRUPTIONS, corrupt
from src.data.corruption.dataset import CorruptedDataset
from src.data.corruption.weather import plasma
from src.data.serving.module import DepthDataModule

every_corruption = pytest.mark.parametrize("name", CORRUPTIONS)
SEVERITIES = range(1, 6)


def picture(height=96, width=160):
    """Edges, gradients and texture in all colours, between 25 and 205."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((height, width))
    stripes = ((columns // 23 + rows // 19) % 2) * 90.0
    colour = np.stack([rows / height * 80, columns / width * 80, 80 - rows / height * 80], axis=2)
    return (25 + stripes[..., None] + colour + rng.uniform(0, 10, (height, width, 3))).astype(np.uint8)


@every_corruption
def test_an_image_stays_an_image_and_its_noise_is_that_of_its_name(name):
    image = picture()
    before = image.copy()
    once, again, other = (corrupt(image, name, 3, sample) for sample in ("a", "a", "b"))
    assert (once.shape, once.dtype) == (image.shape, np.uint8)
    assert np.array_equal(once, again)
    assert np.array_equal(image, before)
    assert not np.array_equal(once, image)
    drawn = {"brightness", "contrast", "defocus_blur", "zoom_blur", "color_quant", "pixelate", "jpeg_compression"}
    assert np.array_equal(once, other) == (name in drawn)


@every_corruption
def test_a_higher_severity_changes_more(name):
    image = picture().astype(np.float64)
    changes = [np.abs(corrupt(picture(), name, severity, "a") - image).mean() for severity in SEVERITIES]
    assert changes[-1] > changes[0] > 0
    # fog and snow are drawn anew for each severity and their published constants are no single scale; frost saturates;
    # what a pixelated picture loses depends on how its edges fall on the blocks
    if name not in {"fog", "frost", "snow", "pixelate"}:
        assert changes == sorted(changes)


@every_corruption
def test_a_flat_image_is_no_special_case(name):
    for value in (0, 255):
        assert corrupt(np.full((20, 24, 3), value, np.uint8), name, 5, "a").shape == (20, 24, 3)


def test_simple_corruptions_equal_what_was_worked_out_by_hand():
    image = np.array([[[100, 50, 0], [0, 0, 0], [255, 200, 51]]], dtype=np.uint8)
    # V = 100/255 becomes 100/255 + 0.1, and the other channels grow by the same factor; black becomes grey 0.1
    assert corrupt(image, "brightness", 1, "")[0].tolist() == [[126, 63, 0], [26, 26, 26], [255, 200, 51]]
    # means are 118.33, 83.33 and 17; a shrink to 0.05 leaves a twentieth of the distance
    assert corrupt(image, "contrast", 5, "")[0].tolist() == [[117, 82, 16], [112, 79, 16], [125, 89, 19]]
    assert corrupt(image, "color_quant", 5, "")[0].tolist() == [[0, 0, 0], [0, 0, 0], [128, 128, 0]]
    assert corrupt(image, "color_quant", 1, "")[0].tolist() == [[96, 48, 0], [0, 0, 0], [248, 200, 48]]


def test_pixelate_repeats_the_mean_of_blocks_and_jpeg_is_pillows():
    image = picture(8, 8)
    blocks = image.reshape(2, 4, 2, 4, 3).mean((1, 3))
    # Pillow rounds after the rows and again after the columns
    assert np.abs(corrupt(image, "pixelate", 5, "")[::4, ::4] - blocks).max() <= 1
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=7)
    assert np.array_equal(corrupt(image, "jpeg_compression", 5, ""), np.asarray(Image.open(stream)))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_published_strength(severity):
    grey = np.full((200, 200, 3), 128, np.uint8)
    level = 128 / 255

    def noise(name):
        return corrupt(grey, name, severity, "a") / 255 - level

    sigma = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    if severity < 4:  # beyond, clipping narrows it
        assert noise("gaussian_noise").std() == pytest.approx(sigma, rel=0.02)
        photons = (60, 25, 12)[severity - 1]
        assert noise("shot_noise").std() == pytest.approx((level / photons) ** 0.5, rel=0.05)
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    assert (np.abs(noise("impulse_noise")) > 0.4).mean() == pytest.approx(share, rel=0.05)


def test_blurs_keep_the_mean_and_what_is_flat():
    flat = np.full((40, 60, 3), 90, np.uint8)
    for name in ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform"):
        assert np.array_equal(corrupt(flat, name, 5, "a"), flat)


def test_the_plasma_fills_its_range_on_every_size():
    for size in ((1, 1), (30, 50), (64, 64)):
        values = plasma(size, 2.0, np.random.default_rng(0))
        assert values.shape == size
        assert values.min() >= 0
        assert values.max() <= 1


class Two(DepthDataset):
    family = "two"

    def index(self):
        return ["x", "y"]

    def read(self, i):
        return Frame(image=picture(20, 30), depth=np.full((20, 30), 2.0 + i, np.float32), cluster="c", slice="s")

    def stamps(self, i):
        return ["file"]


def serve(**options):
    return DepthDataModule(
        dataset=Two(depth_range=(0.1, 9.0)),
        batch_size=1,
        num_workers=0,
        prefetch=1,
        limit=None,
        on_error="raise",
        cache=None,
        **options,
    ).dataset


def test_only_the_image_differs():
    clean, noisy = serve(), serve(corruption="gaussian_noise", severity=2)
    assert isinstance(clean, Two)
    assert noisy.family == "two"
    assert noisy.sample_ids == clean.sample_ids
    for before, after in zip(clean, noisy, strict=False):
        for field in ("depth", "valid"):
            assert torch.equal(getattr(before, field), getattr(after, field))
        assert (before.sample_id, before.cluster, before.slice, before.depth_range) == (
            after.sample_id,
            after.cluster,
            after.slice,
            after.depth_range,
        )
        assert not torch.equal(before.image, after.image)
    assert not torch.equal(noisy[0].image, noisy[1].image)


def test_kept_copies_of_clean_images_are_not_taken_for_corrupted_ones():
    stamps = [serve(corruption="snow", severity=severity).stamps(0) for severity in (1, 2)]
    assert stamps[0] != stamps[1] != serve().stamps(0)


@pytest.mark.parametrize(("name", "severity"), [("rain", 1), ("fog", 0), ("fog", 6)])
def test_what_does_not_exist_is_refused(name, severity):
    with pytest.raises(ConfigError, match="expected"):
        CorruptedDataset(dataset=Two(depth_range=(0.1, 9.0)), corruption=name, severity=severity)
