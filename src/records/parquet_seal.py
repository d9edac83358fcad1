"""A Parquet file that holds a digest of itself: it is then found out whatever part of it is damaged, its footer too."""

import hashlib
from pathlib import Path
from typing import Final

from src.records.columns import refuse

BLANK: Final = "0" * 64
"""What stands in the place of the digest until the file is whole: the value of "seal", the metadata's first key."""

_SEAL: Final = b'{"seal": "'
_UNSEALED: Final = BLANK.encode()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(content: bytes) -> bytes:
    """Return a Parquet file whose metadata hold the digest of all its other bytes."""
    place = content.rindex(_SEAL + _UNSEALED) + len(_SEAL)
    seal = hashlib.sha256(content).hexdigest().encode()
    return content[:place] + seal + content[place + len(seal) :]


def check(content: bytes, digest: str) -> bool:
    """Hold a file against the digest that is known of it, or the one that it holds; return whether it holds one.

    Raises:
        ValueError: if they differ.
    """
    place = content.rfind(_SEAL) + len(_SEAL)
    is_sealed = place >= len(_SEAL)
    if digest:
        is_same = hashlib.sha256(content).hexdigest() == digest
    elif is_sealed:
        seal = content[place : place + len(_UNSEALED)]
        blank = content[:place] + _UNSEALED + content[place + len(seal) :]
        is_same = hashlib.sha256(blank).hexdigest().encode() == seal
    else:
        is_same = True
    if not is_same:
        refuse("its checksum differs: it is damaged or was edited")
    return is_sealed
