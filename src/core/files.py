"""Files that appear whole or not at all."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that readers, and other writers at the same time, see the old content or the new, never a part.

    Args:
        path: of the file; its folder exists.
        content: all of it.

    Raises:
        OSError: if it cannot be written; nothing is left behind then.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
