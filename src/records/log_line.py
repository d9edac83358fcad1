"""A line of JSON that ends with a checksum of what stands before it, and is read only if that is right."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from src.records.sealed import parse_json

_CHECK: Final = b', "crc32": "'  # eight digits and "} follow, and the line's end; lines of before it was kept have none


def line_of(content: Mapping[str, Any]) -> bytes:
    """Encode plain values, at least one, as a line; refuses NaN and infinity."""
    body = json.dumps(content, allow_nan=False, ensure_ascii=False).encode()[:-1]
    return body + _CHECK + b'%08x"}\n' % zlib.crc32(body)


def content_of_line(line: bytes) -> Any:
    """Decode a line; one of before checksums were kept is decoded unverified.

    Raises:
        ValueError: if it is no JSON, or not as it was written.
        RecursionError: if it is nested too deeply.
    """
    body, mark, rest = line.rpartition(_CHECK)
    if not mark:
        return parse_json(line)
    if rest.rstrip(b"\n") != b'%08x"}' % zlib.crc32(body):
        msg = "its checksum differs"
        raise ValueError(msg)
    return parse_json(body + b"}")
