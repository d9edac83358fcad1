"""Leadline from Python: what a notebook, a training loop or another package imports.

These names, their parameters and what they return follow semantic versioning; everything else in `src` may change.
Each is imported when it is first asked for, so that `score` needs neither lightning nor hydra, nor torchmetrics.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.api.depth_errors import DepthErrors
    from src.api.evaluation import evaluate
    from src.api.prediction import PredictedMaps, predict, predict_arrays
    from src.api.results import load_results
    from src.api.scoring import ArrayScores, score

_PLACES = {
    "ArrayScores": "scoring",
    "DepthErrors": "depth_errors",
    "PredictedMaps": "prediction",
    "evaluate": "evaluation",
    "load_results": "results",
    "predict": "prediction",
    "predict_arrays": "prediction",
    "score": "scoring",
}

__all__ = [
    "ArrayScores",
    "DepthErrors",
    "PredictedMaps",
    "evaluate",
    "load_results",
    "predict",
    "predict_arrays",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        msg = f"module 'src.api' has no attribute {name!r}: expected one of {', '.join(_PLACES)}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"src.api.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_PLACES)
