import numpy as np
import pytest
from PIL import ExifTags, Image

from src.core.errors import DataError
from src.data.storage.decode import IMAGE_SUFFIXES, read_rgb

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_lossless_formats_come_back_to_the_last_bit(tmp_path, suffix):
    Image.fromarray(RGB).save(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read_rgb(tmp_path / f"image{suffix}"), RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_are_read(tmp_path, suffix):
    Image.new("RGB", (9, 6), (200, 100, 50)).save(tmp_path / f"image{suffix}", quality=95)
    np.testing.assert_allclose(
        read_rgb(tmp_path / f"image{suffix}").astype(int), np.full((6, 9, 3), (200, 100, 50)), atol=4
    )


def test_grey_palette_and_bilevel_images_become_rgb_without_loss(tmp_path):
    grey = RGB[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, 2))
    palette = Image.fromarray(grey % 5)
    palette.putpalette(RGB.reshape(-1)[:15].tolist())
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "palette.png"), RGB.reshape(-1, 3)[:5][grey % 5])
    Image.fromarray(grey > 99).save(tmp_path / "bilevel.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "bilevel.png")[..., 1], 255 * (grey > 99))


def test_the_result_belongs_to_the_caller(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "image.png")
    image = read_rgb(tmp_path / "image.png")
    image[0, 0] = 0
    assert image.flags.writeable


def test_16_bit_colour_is_refused_and_not_cut_to_8_bits(tmp_path, write_16_bit_colour_png):
    write_16_bit_colour_png(tmp_path / "deep.png", RGB.astype(np.uint16) * 257)
    with pytest.raises(
        DataError, match=r"deep\.png: expected 8 bits per channel, got 16; convert the image to 8-bit sRGB"
    ):
        read_rgb(tmp_path / "deep.png")


def test_16_bit_grey_is_refused(tmp_path):
    Image.fromarray(RGB[..., 0].astype(np.uint16)).save(tmp_path / "grey.png")
    with pytest.raises(DataError, match=r"grey\.png: expected 8 bits per channel, got 16"):
        read_rgb(tmp_path / "grey.png")


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", ".png"), ("LA", ".png"), ("CMYK", ".jpg"), ("F", ".tif")])
def test_transparent_images_and_other_colour_spaces_are_refused(tmp_path, mode, suffix):
    Image.new(mode, (9, 6)).save(tmp_path / f"image{suffix}")
    with pytest.raises(DataError, match=f"expected an opaque RGB or grey image, got mode '{mode}'"):
        read_rgb(tmp_path / f"image{suffix}")


def test_a_transparent_palette_colour_is_refused(tmp_path):
    Image.new("P", (9, 6)).save(tmp_path / "image.png", transparency=0)
    with pytest.raises(DataError, match=r"expected an opaque RGB or grey image, got mode 'P' with \['transparency'\]"):
        read_rgb(tmp_path / "image.png")


def test_animations_are_refused(tmp_path):
    frames = [Image.new("RGB", (9, 6), (k, 0, 0)) for k in (0, 200)]
    frames[0].save(tmp_path / "image.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="expected one picture, got several in one file"):
        read_rgb(tmp_path / "image.png")


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_exif_orientation_other_than_upright_is_refused(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(RGB).save(tmp_path / "image.jpg", exif=exif)
    if orientation == 1:
        assert read_rgb(tmp_path / "image.jpg").shape == (6, 9, 3)
    else:
        with pytest.raises(DataError, match=f"stored upright, got EXIF orientation {orientation}; rotate the pixels"):
            read_rgb(tmp_path / "image.jpg")


def test_pixels_come_as_stored_where_the_ground_truth_lies_on_them(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(RGB).save(tmp_path / "image.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "image.png", as_stored=True), RGB)


def test_bytes_of_an_archive_read_like_the_file(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "image.png")
    content = (tmp_path / "image.png").read_bytes()
    np.testing.assert_array_equal(read_rgb(tmp_path / "absent.png", content=content), RGB)
    with pytest.raises(DataError, match=r"absent\.png: expected a readable image"):
        read_rgb(tmp_path / "absent.png", content=content[:99])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_truncated_images_are_refused(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(path)
    content = path.read_bytes()
    for kept in (0, 10, len(content) // 2):
        path.write_bytes(content[:kept])
        with pytest.raises(DataError, match=rf"image\{suffix}: expected a readable image \(PNG, JPEG"):
            read_rgb(path)


def test_missing_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "image.png").write_text("not an image")
    Image.new("P", (4, 4)).save(tmp_path / "gif.png", format="GIF")
    for name in ("absent.png", "image.png", "gif.png"):
        with pytest.raises(DataError, match=rf"{name.replace('.', chr(92) + '.')}: expected a readable image"):
            read_rgb(tmp_path / name)
