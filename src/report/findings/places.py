"""Folders -> names that say nothing about the machine: a report is sent around."""

import os
from collections.abc import Sequence
from pathlib import Path

_LAST = 3
"""Model, data and fingerprint: how a run names its folder."""


def places(folders: Sequence[Path]) -> dict[Path, str]:
    """Name each folder by its way below what all of them have in common.

    >>> places([Path("/a/outputs/x/nyu/1"), Path("/a/outputs/y/nyu/2")])[Path("/a/outputs/y/nyu/2")]
    'y/nyu/2'
    """
    whole = {folder: folder.absolute() for folder in folders}
    if not whole:
        return {}
    above = Path(os.path.commonpath([path.parent for path in whole.values()]))
    return {
        folder: "/".join(path.parts[-_LAST:] if path.parent == above else path.relative_to(above).parts)
        for folder, path in whole.items()
    }
