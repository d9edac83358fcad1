"""What the depth classes of the transformers library predict, type by type."""

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Final

from src.core.prediction import OutputSpace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DepthType:
    """What is known about the checkpoints of one `model_type`.

    Attributes:
        space: what they all predict in; None where the type does not say it.
        not_depth: what they predict in place of depth; "" if depth.
        needs_prompt: whether they predict depth only where they are shown some.
    """

    space: OutputSpace | None = None
    not_depth: str = ""
    needs_prompt: bool = False


TYPES: Final[Mapping[str, DepthType]] = types.MappingProxyType(
    {
        "chmv2": DepthType(not_depth="the height of trees above the ground, seen from above"),
        "depth_anything": DepthType(),  # its configuration says it, see `space_of`
        "depth_pro": DepthType(space=OutputSpace.METRIC_DEPTH),
        "dpt": DepthType(),  # MiDaS's predict disparity, DINOv2's heads metres
        "glpn": DepthType(space=OutputSpace.METRIC_DEPTH),
        "prompt_depth_anything": DepthType(space=OutputSpace.METRIC_DEPTH, needs_prompt=True),
        "tipsv2_dpt": DepthType(space=OutputSpace.METRIC_DEPTH),
        "zoedepth": DepthType(space=OutputSpace.METRIC_DEPTH),
    }
)
"""All classes behind `AutoModelForDepthEstimation` of transformers 5.23; a test fails when a release brings another."""

SPACE_OF_DEPTH_ANYTHING: Final[Mapping[str, OutputSpace]] = types.MappingProxyType(
    {"relative": OutputSpace.AFFINE_DISPARITY, "metric": OutputSpace.METRIC_DEPTH}
)

_PUBLISHED: Final = (
    (re.compile(r"Intel/dpt-"), OutputSpace.AFFINE_DISPARITY),  # MiDaS v3.0 and v3.1
    (re.compile(r"facebook/dpt-dinov2-.*-(nyu|kitti)$"), OutputSpace.METRIC_DEPTH),
)
"""Hub ids of DPT whose authors say what they predict."""


def space_of(config: Mapping[str, Any], weights: str) -> OutputSpace | None:
    """Return what a checkpoint predicts in; None where neither its type, its configuration nor its name says it.

    Args:
        config: of the checkpoint, from its config.json.
        weights: its hub id, or its folder.

    >>> space_of({"model_type": "dpt"}, "Intel/dpt-large")
    <OutputSpace.AFFINE_DISPARITY: 'affine_disparity'>
    """
    model_type = str(config.get("model_type"))
    if model_type == "depth_anything":
        return SPACE_OF_DEPTH_ANYTHING.get(config.get("depth_estimation_type") or "relative")
    if model_type == "dpt":
        return next((space for pattern, space in _PUBLISHED if pattern.match(weights)), None)
    known = TYPES.get(model_type)
    return known.space if known else None
