"""Writers of image files that Pillow reads but cannot write, and of archives."""

import shutil
import struct
import tarfile
import zipfile
import zlib

import pytest


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
