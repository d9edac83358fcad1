"""Leadline from Python: what a notebook, a training loop or another package imports.

These names, their parameters and what they return follow semantic versioning; everything else in `src` may change.
Each is imported when it is first asked for, so that `score` needs neither lightning nor hydra, nor torchmetrics.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.api.depth_errors import DepthErrors
    from src.api.scoring import ArrayScores, score

_PLACES = {
    "ArrayScores": "src.api.scoring",
    "DepthErrors": "src.api.depth_errors",
    "score": "src.api.scoring",
}

__all__ = ["ArrayScores", "DepthErrors", "score"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        msg = f"module 'src.api' has no attribute {name!r}: expected one of {', '.join(_PLACES)}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(_PLACES)
