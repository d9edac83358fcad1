"""Writers of image files that Pillow reads but cannot write."""

import struct
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
