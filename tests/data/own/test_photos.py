"""Pictures are found, named and read, and whatever is changed about them is said."""

import numpy as np
import pytest
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.data.own.photos import Photos, read_picture


def save(path, array, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array, mode).save(path, **options)
    return path


def pictures(images, *, intrinsics=None, field_of_view=None):
    return Photos(images=images, intrinsics=intrinsics, field_of_view=field_of_view)


RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@pytest.fixture
def photos(tmp_path):
    for name in ("b.png", "a/1.bmp", "a/.hidden.png", ".cache/2.png", "done/colour/b.png"):
        save(tmp_path / "photos" / name, RGB)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "photos" / "done" / "predictions.json").write_text("{}")
    return tmp_path / "photos"


def test_a_folder_gives_every_picture_below_it_but_hidden_ones_and_predictions(photos):
    assert pictures(photos).sample_ids == ("a/1", "b")


def test_a_pattern_names_pictures_from_its_first_wildcard_on(photos):
    assert pictures(f"{photos}/*/*.bmp").sample_ids == ("a/1",)
    assert pictures(f"{photos}/a/*").sample_ids == ("1",)
    assert pictures(f"{photos}/**/*.png").sample_ids == ("b",)


def test_a_file_is_named_by_itself(photos):
    assert pictures(photos / "a" / "1.bmp").sample_ids == ("1",)


@pytest.mark.parametrize("images", ["nowhere", "nowhere/*.jpg"])
def test_no_pictures_is_an_error(tmp_path, images):
    with pytest.raises(DataError, match=r"images=.*nowhere.*expected"):
        pictures(tmp_path / images).sample_ids  # noqa: B018


def test_two_pictures_of_one_name_are_refused(photos):
    save(photos / "b.bmp", RGB)
    with pytest.raises(DataError, match="one file per path without suffix"):
        pictures(photos).sample_ids  # noqa: B018


def test_a_sample_has_no_ground_truth_and_the_camera_of_its_field_of_view(photos):
    sample = pictures(photos, field_of_view=90.0)[1]
    assert not sample.valid.any()
    # half of 4 pixels over the tangent of 45 degrees
    assert sample.intrinsics[0].tolist() == [[pytest.approx(2), 0, 2], [0, pytest.approx(2), 1], [0, 0, 1]]
    assert (sample.image[0].permute(1, 2, 0).numpy() == RGB).all()


@pytest.mark.parametrize("options", [{"field_of_view": 180.0}, {"field_of_view": 60.0, "intrinsics": [1, 1, 1, 1]}])
def test_a_camera_that_is_none_or_two_is_refused(photos, options):
    with pytest.raises(ConfigError, match="field_of_view"):
        pictures(photos, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_the_tag_says(tmp_path, orientation):
    """The eight orientations of EXIF, undone here by numpy from their definition in its table of row 0 and column 0."""
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "x.png", np.ascontiguousarray(stored), exif=exif)

    image, change = read_picture(path)

    assert (image[..., 0] == upright).all()
    assert change == ("" if orientation == 1 else f"turned upright (EXIF orientation {orientation})")


def test_grey_and_palette_become_rgb_without_a_word(tmp_path):
    grey, change = read_picture(save(tmp_path / "l.png", RGB[..., 0]))
    assert (grey == RGB[..., :1]).all()
    assert change == ""
    Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    palette, change = read_picture(tmp_path / "p.png")
    assert (palette == RGB).all()
    assert change == ""


def test_transparency_is_filled_with_white_and_said(tmp_path):
    rgba = np.dstack([RGB, np.full((2, 4), 255, np.uint8)])
    opaque, change = read_picture(save(tmp_path / "opaque.png", rgba))
    assert (opaque == RGB).all()
    assert change == ""
    rgba[0, 0, 3] = 0
    image, change = read_picture(save(tmp_path / "glass.png", rgba))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert (image[1] == RGB[1]).all()
    assert change == "transparency filled with white"


def test_sixteen_bits_are_cut_to_the_upper_eight_and_said(tmp_path):
    path = save(tmp_path / "deep.png", np.array([[0, 255, 256, 65535]], np.uint16))
    image, change = read_picture(path)
    assert image[..., 1].tolist() == [[0, 0, 1, 255]]
    assert change == "cut from 16 to 8 bits"


def test_what_has_no_plain_meaning_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cmyk.jpg: .*mode 'CMYK'"):
        read_picture(save(tmp_path / "cmyk.jpg", np.zeros((2, 2, 4), np.uint8), "CMYK"))
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    frames[0].save(tmp_path / "many.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"many.webp: expected one picture"):
        read_picture(tmp_path / "many.webp")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"broken.jpg: expected a readable image"):
        read_picture(tmp_path / "broken.jpg")
