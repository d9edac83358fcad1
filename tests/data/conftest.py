"""Writers of image files that Pillow reads but cannot write, and of archives."""

import functools
import shutil
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from src.core.errors import DataError
from src.data.base import DepthDataset, Frame


@pytest.fixture
def write_16_bit_colour_png():
    def write(path, rgb):
        """Write (h, w, 3) uint16 by the PNG specification: IHDR, one IDAT of unfiltered rows, IEND."""
        h, w, _ = rgb.shape
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
        chunks = {b"IHDR": struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
        content = b"\x89PNG\r\n\x1a\n"
        for kind, data in chunks.items():
            content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        path.write_bytes(content)

    return write


@pytest.fixture
def pack():
    def pack(folder, form):
        """Turn a folder into itself, or a .tar or .zip beside it; return the path that leaves the suffix out."""
        if form == "tar":  # as `tar -cf x.tar -C x .` writes it: members begin with ./
            with tarfile.open(f"{folder}.tar", "w") as archive:
                archive.add(folder, arcname=".")
        elif form == "zip":
            with zipfile.ZipFile(f"{folder}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, path.relative_to(folder))
        if form != "folder":
            shutil.rmtree(folder)
        return folder

    return pack


@pytest.fixture(params=["folder", "tar", "zip"])
def form(request):
    return request.param


class Numbered(DepthDataset):
    """Image i has depth i + 1 everywhere; two sizes take turns; the listed numbers cannot be read."""

    def __init__(self, *, n, names=None, depth_range=(0.0, 100.0), unreadable=(), **frame):
        super().__init__(depth_range=depth_range)
        self.names = [f"{i:02d}" for i in range(n)] if names is None else names
        self.unreadable = unreadable
        self.frame = frame

    @functools.cached_property
    def decoded(self):
        return []

    def index(self):
        return self.names

    def read(self, i):
        self.decoded.append(i)
        if i in self.unreadable:
            raise DataError(f"{i:02d}.png: expected a readable image")
        size = (2, 3) if i % 2 == 0 else (3, 2)
        fields = {"image": np.zeros((*size, 3), np.uint8), "depth": np.full(size, i + 1, np.float32)}
        return Frame(**{**fields, **self.frame})


@pytest.fixture
def numbered():
    """The class, whose data sets need no files."""
    return Numbered
