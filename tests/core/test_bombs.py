"""Small files that claim to be huge: refused by name and size before memory is asked for."""

import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from src.core.errors import DataError
from src.core.maps import read_map
from src.core.reading import read_bytes
from src.data.own.folder import _read_mask
from src.data.own.own_files import OwnFile
from src.data.storage.archive import Tar, Zip


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(depth):
    head = struct.pack(">IIBBBBB", 60000, 60000, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"0")) + _chunk(b"IEND", b"")


def _npy():
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    return file.getvalue()


def _npz():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("depth.npy", _npy())
    return file.getvalue()


def _hdf5():
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        store.create_dataset("depth", shape=(10**6, 10**6), dtype="f4", chunks=(64, 64))
    return file.getvalue()


@pytest.fixture(autouse=True)
def memory():
    """No case may ask for more than 64 MiB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26


@pytest.mark.parametrize(
    ("name", "content", "size"),
    [
        ("a.png", _png(16), "3600000000 pixels"),
        ("a.npy", _npy(), "1000000 x 1000000 values"),
        ("a.npz", _npz(), "1000000 x 1000000 values"),
        ("a.h5", _hdf5(), "1000000 x 1000000 values"),
    ],
)
def test_a_map_that_claims_to_be_huge(tmp_path, name, content, size):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=size) as raised:
        read_map(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)


def test_a_huge_mask(tmp_path):
    (tmp_path / "mask.png").write_bytes(_png(8))
    with pytest.raises(DataError, match=r"mask\.png.*3600000000 pixels"):
        _read_mask(OwnFile(root=tmp_path, name="mask.png"), (4, 4))


def test_a_huge_file(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        file.truncate(4 * 10**12)
    with pytest.raises(DataError, match=r"a\.npy: it claims 4000000000000 bytes"):
        read_bytes(tmp_path / "a.npy")


def test_a_member_of_a_tar_that_claims_more_than_the_archive_has(tmp_path):
    info = tarfile.TarInfo("a.png")
    for size in (10**6, 10**13):
        info.size = size
        (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        with pytest.raises(DataError, match=r"a\.tar"):
            Tar(tmp_path / "a.tar").read("a.png")


def test_members_of_a_zip_that_claim_too_much_or_too_little(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2**24))
    tree = Zip(path)
    tree.names()
    member = tree._opened()[1]["a.png"]
    member.file_size = 10 * 2**30
    with pytest.raises(DataError, match=r"a\.zip: 'a\.png': it claims 10737418240 bytes"):
        tree.read("a.png")
    member.file_size = 10
    with pytest.raises(DataError, match=r"a\.zip.*a\.png"):
        tree.read("a.png")
