import io
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import OpenEXR
import pytest
import scipy.io
from PIL import Image

from src.core.errors import DataError
from src.core.maps import MAP_SUFFIXES, read_map

# values that a detour through another type, a rescaling or a repair would change
AWKWARD = np.array([[0.1, -0.0, 1e-45], [np.nan, np.inf, 3.4028235e38]], np.float32)


def write_exr(path, channels, **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def dpt(values):
    h, w = values.shape
    return np.float32(202021.25).tobytes() + np.array([w, h], "<i4").tobytes() + values.tobytes()


def same_bits(left, right):
    return left.dtype == right.dtype == np.float32 and left.tobytes() == right.tobytes() and left.shape == right.shape


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".exr", ".NPY", ".EXR"])
def test_float32_comes_back_to_the_last_bit(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    if suffix.lower() == ".exr":
        write_exr(path, {"Z": AWKWARD})
    elif suffix == ".npz":
        np.savez_compressed(path, depth=AWKWARD)
    else:
        with path.open("wb") as file:
            np.save(file, AWKWARD)
    assert same_bits(read_map(path), AWKWARD)


def test_16_bit_png_gives_every_raw_integer(tmp_path):
    raw = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(raw).save(tmp_path / "map.png")
    assert same_bits(read_map(tmp_path / "map.png"), raw.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.int32, np.uint64, ">f4", ">i2"])
def test_other_number_types_convert_exactly_or_round_to_float32(tmp_path, dtype):
    values = np.array([[0, 1, 100], [7, 12, 99]]).astype(dtype)
    np.save(tmp_path / "map.npy", values)
    np.testing.assert_array_equal(read_map(tmp_path / "map.npy"), values.astype(np.float64))
    np.save(tmp_path / "third.npy", np.array([[1 / 3]]))
    assert read_map(tmp_path / "third.npy")[0, 0] == np.float32(1 / 3)


def test_half_precision_and_integer_exr(tmp_path):
    half = np.array([[0.5, 65504.0], [np.inf, 2.0**-24]], np.float16)
    write_exr(tmp_path / "half.exr", {"Y": half})
    np.testing.assert_array_equal(read_map(tmp_path / "half.exr"), half.astype(np.float32))
    write_exr(tmp_path / "whole.exr", {"Y": np.array([[3, 16777216]], np.uint32)})
    np.testing.assert_array_equal(read_map(tmp_path / "whole.exr"), [[3, 16777216]])


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (1, 1, 2, 3), (2, 3, 1), (1, 2, 3, 1)])
def test_axes_of_length_one_around_the_map_are_dropped(tmp_path, shape):
    np.save(tmp_path / "map.npy", AWKWARD.reshape(shape))
    assert same_bits(read_map(tmp_path / "map.npy"), AWKWARD)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_maps_one_pixel_wide_keep_their_shape(tmp_path, shape):
    np.save(tmp_path / "map.npy", np.zeros(shape, np.float32))
    assert read_map(tmp_path / "map.npy").shape == shape


def test_fortran_order_is_read_by_row(tmp_path):
    np.save(tmp_path / "map.npy", np.asfortranarray(AWKWARD))
    assert same_bits(read_map(tmp_path / "map.npy"), AWKWARD)


def test_a_key_selects_among_several(tmp_path):
    np.savez(tmp_path / "map.npz", depth=AWKWARD, confidence=np.zeros((9, 9)))
    write_exr(tmp_path / "map.exr", {"R": AWKWARD + 1, "Z": AWKWARD})
    assert same_bits(read_map(tmp_path / "map.npz", key="depth"), AWKWARD)
    assert same_bits(read_map(tmp_path / "map.exr", key="Z"), AWKWARD)
    with pytest.raises(DataError, match=r"map\.npz: expected one array, or a key naming one, got \['depth', 'confid"):
        read_map(tmp_path / "map.npz")
    with pytest.raises(DataError, match=r"map\.exr: expected one channel, or a key naming one, got \['R', 'Z'\]"):
        read_map(tmp_path / "map.exr")
    with pytest.raises(DataError, match=r"expected the array 'z', got"):
        read_map(tmp_path / "map.npz", key="z")


@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_a_key_for_a_file_of_one_map_is_refused(tmp_path, suffix):
    (tmp_path / f"map{suffix}").touch()
    with pytest.raises(DataError, match=f"{suffix} files hold one; got key 'depth', expected none"):
        read_map(tmp_path / f"map{suffix}", key="depth")


def test_missing_files_and_other_types_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.npy: expected a map file, but there is none"):
        read_map(tmp_path / "absent.npy")
    for name, what in (("map.tiff", "'.tiff'"), ("map", "'no suffix'")):
        (tmp_path / name).touch()
        with pytest.raises(DataError, match=re.escape(f"of type {', '.join(MAP_SUFFIXES)}, got {what}")):
            read_map(tmp_path / name)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "RGBA", "LA"])
def test_png_that_cannot_hold_depth_is_refused(tmp_path, mode):
    Image.new(mode, (4, 3)).save(tmp_path / "map.png")
    with pytest.raises(
        DataError, match=f"map.png: expected a 16-bit grey PNG, got mode '{mode}'; 8 bits hold 256 depths"
    ):
        read_map(tmp_path / "map.png")


@pytest.mark.parametrize("shape", [(3,), (2, 3, 3), (2, 2, 3), (0, 3), (3, 0), ()])
def test_what_is_not_one_map_is_refused(tmp_path, shape):
    np.save(tmp_path / "map.npy", np.zeros(shape, np.float32))
    with pytest.raises(DataError, match=re.escape(f"with at least one pixel, got shape {shape}")):
        read_map(tmp_path / "map.npy")


def test_numbers_float32_cannot_hold_are_refused(tmp_path):
    path = tmp_path / "map.npy"
    for value in (2**24 + 1, -(2**24) - 1):
        np.save(path, np.array([[value]]))
        with pytest.raises(
            DataError, match=rf"expected integers up to 16777216, got {value}\.\.{value}; save as float32"
        ):
            read_map(path)
    np.save(path, np.array([[1e39, np.inf]]))
    with pytest.raises(DataError, match=r"expected values that fit float32, got a magnitude above 3\.4e\+38"):
        read_map(path)
    np.save(path, np.array([[np.inf, np.nan]]))
    assert np.isinf(read_map(path)[0, 0])


@pytest.mark.parametrize("dtype", [bool, np.complex64, "U3", "M8[s]", np.longdouble])
def test_what_is_not_a_real_number_is_refused(tmp_path, dtype):
    np.save(tmp_path / "map.npy", np.zeros((2, 2), dtype))
    with pytest.raises(DataError, match="expected real numbers"):
        read_map(tmp_path / "map.npy")


def test_pickles_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was run",))

    np.save(tmp_path / "map.npy", np.array([[Bomb()]], object), allow_pickle=True)
    np.savez(tmp_path / "map.npz", depth=np.array([[Bomb()]], object), allow_pickle=True)
    for name in ("map.npy", "map.npz"):
        with pytest.raises(DataError, match=rf"{name}: expected a readable .*allow_pickle=False"):
            read_map(tmp_path / name, key="depth" if name.endswith("z") else None)


def test_an_array_named_npz_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, AWKWARD)
    (tmp_path / "map.npz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"expected an \.npz archive, got a single array; rename the file to \.npy"):
        read_map(tmp_path / "map.npz")


@pytest.mark.parametrize("suffix", MAP_SUFFIXES)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, suffix, kept):
    values = np.random.default_rng(0).random((200, 300)).astype(np.float32)
    path = tmp_path / f"map{suffix}"
    match suffix:
        case ".npy":
            np.save(path, values)
        case ".npz":
            np.savez_compressed(path, values)
        case ".png":
            Image.fromarray((values * 65535).astype(np.uint16)).save(path)
        case ".exr":
            write_exr(path, {"Z": values})
        case ".dpt":
            path.write_bytes(dpt(values))
        case ".mat":
            scipy.io.savemat(path, {"depth": values}, do_compression=True)
        case _:
            with h5py.File(path, "w") as file:
                file.create_dataset("depth", data=values, compression="gzip")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf"map\{suffix}: expected"):
        read_map(path)


@pytest.mark.parametrize("suffix", MAP_SUFFIXES)
def test_foreign_content_is_refused(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    path.write_bytes(b"<html>404 not found</html>" * 20)
    with pytest.raises(DataError, match=rf"map\{suffix}: expected a readable \{suffix} map"):
        read_map(path)


def test_a_flipped_byte_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "map.npz"
    np.savez(path, np.ones((50, 50), np.float32))
    with zipfile.ZipFile(path) as archive:
        start = archive.infolist()[0].header_offset
    content = bytearray(path.read_bytes())
    content[start + 3000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected a readable \.npz map"):
        read_map(path)


def test_a_cropped_exr_is_refused_because_its_grid_is_unclear(tmp_path):
    frame = (np.array([0, 0], np.int32), np.array([9, 9], np.int32))
    write_exr(tmp_path / "map.exr", {"Z": np.ones((2, 3), np.float32)}, displayWindow=frame)
    with pytest.raises(
        DataError, match=r"expected an EXR whose pixels fill its frame, got data window \(\(0, 0\), \(2"
    ):
        read_map(tmp_path / "map.exr")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".png"])
def test_bytes_of_an_archive_read_like_the_file(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    if suffix == ".png":
        Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3)).save(path)
    else:
        (np.save if suffix == ".npy" else np.savez)(path, AWKWARD)
    content, expected = path.read_bytes(), read_map(path)
    path.unlink()
    assert same_bits(read_map(path, content=content), expected)
    with pytest.raises(DataError, match=rf"map\{suffix}: expected a readable \{suffix} map, but the file is damaged"):
        read_map(path, content=content[:20])


def test_an_exr_from_an_archive_is_read_from_its_bytes(tmp_path):
    write_exr(tmp_path / "map.exr", {"Z": AWKWARD})
    content = (tmp_path / "map.exr").read_bytes()
    assert same_bits(read_map(Path("packed/map.exr"), content=content), AWKWARD)
    with pytest.raises(DataError, match=r"packed/map\.exr: expected a readable \.exr map, but the file is damaged"):
        read_map(Path("packed/map.exr"), content=content[:60])


@pytest.mark.parametrize("in_archive", [False, True])
@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_files_of_both_kinds_show_rows_first(tmp_path, version, in_archive):
    path = tmp_path / "map.mat"
    if version == "5":
        scipy.io.savemat(path, {"depth": AWKWARD, "label": "kitchen"})
    else:  # as MATLAB writes it: HDF5 behind a header, columns first
        with h5py.File(path, "w", userblock_size=512) as file:
            file["depth"] = AWKWARD.T
            file["#refs#/a"] = np.ones((2, 2))
        with path.open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file")
    content = path.read_bytes() if in_archive else None
    assert same_bits(read_map(path, content=content), AWKWARD)
    assert same_bits(read_map(path, content=content, key="depth"), AWKWARD)
    with pytest.raises(DataError, match=r"map\.mat: expected the array 'z', got \['depth'\]"):
        read_map(path, content=content, key="z")


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_hdf5_arrays_are_selected_by_path(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    with h5py.File(path, "w") as file:
        file["camera/depth"] = AWKWARD
        file.create_dataset("camera/packed", data=AWKWARD + 1, compression="gzip")
    assert same_bits(read_map(path, key="camera/depth"), AWKWARD)
    with pytest.raises(DataError, match=r"expected one array, or a key naming one, got \['camera/depth', 'camera/pac"):
        read_map(path)


def test_a_dpt_is_float32_behind_tag_and_size(tmp_path):
    content = dpt(AWKWARD)
    (tmp_path / "map.dpt").write_bytes(content)
    assert same_bits(read_map(tmp_path / "map.dpt"), AWKWARD)
    for damaged in (b"", content[:-1], b"HEIP" + content[4:], content[:4] + bytes(8)):
        with pytest.raises(DataError, match=r"map\.dpt: expected a readable \.dpt map \(tag 202021\.25"):
            read_map(Path("map.dpt"), content=damaged)
