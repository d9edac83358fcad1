"""A tiny Depth Anything, real pictures, and what exports it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.model.exchange.exporter import Exporter
from src.model.families.deployed import Deployed
from src.model.families.depth_anything import DepthAnything

_CONF = Path(__file__).parents[3] / "conf" / "model"


@pytest.fixture
def tiny(architecture) -> Callable[..., DepthAnything]:
    """A loaded network with random weights."""

    def tiny(**changes: Any) -> DepthAnything:
        settings = {
            "weights": "random",
            "revision": None,
            "allow_pickle": False,
            "target_size": [70, 70],
            "bound": "lower",
            "resolution": "default",
            "seed": 3,
            "architecture": architecture("depth_anything"),
            "space": "affine_disparity",
            "align_corners": True,
        }
        model = DepthAnything(**{**settings, **changes})
        model.configure_model()
        return model

    return tiny


@pytest.fixture
def exporter() -> Callable[..., Exporter]:
    """An exporter with the settings of conf/export.yaml but for those given."""

    def exporter(**changes: Any) -> Exporter:
        settings = {"format": "onnx", "size": None, "dynamic": False, "precision": "float32", "quantise": "none"}
        return Exporter(**{**settings, "opset": 20, "bound": None, **changes})

    return exporter


@pytest.fixture
def deployed() -> Callable[..., Deployed]:
    """A model of conf/model by its name, not loaded."""

    def deployed(name: str, weights: Path, **changes: Any) -> Deployed:
        settings = _settings(name) | {"resolution": "default", "weights": str(weights), **changes}
        settings.pop("_target_"), settings.pop("_convert_")
        return Deployed(**settings)

    return deployed


def _settings(name: str) -> dict[str, Any]:
    own = yaml.safe_load((_CONF / f"{name}.yaml").read_text())
    merged: dict[str, Any] = {}
    for base in own.pop("defaults", ["_self_"]):
        merged |= own if base == "_self_" else _settings(base)
    return merged
