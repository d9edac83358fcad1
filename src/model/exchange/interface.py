"""What whoever runs an exported network must know: what goes in, what comes out, and where it is from."""

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, Final

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.core.resize import Bound, bounded_size

KEY: Final = "leadline"
"""Of the metadata in a file."""

UNITS: Final[Mapping[OutputSpace, str]] = types.MappingProxyType(
    {
        OutputSpace.METRIC_DEPTH: "m",
        OutputSpace.SCALE_INVARIANT_DEPTH: "m up to an unknown scale",
        OutputSpace.AFFINE_DEPTH: "m up to an unknown scale and shift",
        OutputSpace.AFFINE_DISPARITY: "1/m up to an unknown scale and shift",
    }
)

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = types.MappingProxyType(
    {
        "space": tuple(OutputSpace),
        "bound": ("lower", "upper", "minimal", "stretch"),
        "interpolation": ("bilinear", "bicubic"),
        "restoration": ("bilinear", "bicubic"),
        "channels": ("rgb", "bgr"),
        "layout": ("nchw", "nhwc"),
        "meaning": ("values", "canonical_inverse_depth"),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """How a network is fed and what its output means.

    Attributes:
        space: value of the `OutputSpace` of the prediction.
        fixed_size: (height, width) that the file takes; None if it takes any of the rule below.
        target_size: (height, width) that the size rule aims at; None for that of the image.
        bound: see `src.core.resize.bounded_size`.
        multiple: of pixels, of both sides.
        interpolation: of the image, with float values, without antialiasing.
        align_corners: whether corners stay corners then.
        mean, std: of the channels in the file's order, subtracted and divided by after values were brought to 0 to 1;
            None for both: values stay 0 to 255.
        channels: their order.
        layout: of the axes.
        border: whether the image gets ZoeDepth's reflected border before it is resized.
        mirror: whether the prediction is averaged with that of the mirrored image.
        output: name of the output that is the prediction; "" for the only one.
        meaning: "values", those of the space; "canonical_inverse_depth" in 1/m for a focal length of one image width,
            as of Depth Pro, to be scaled by the field of view.
        view: name of the output with the horizontal field of view in degrees, of such a network.
        restoration: interpolation of the prediction, back to the size of the image.
        restoration_align_corners: whether corners stay corners then.
        scale: factor from the values of the output to those of the space, such as 0.001 for millimetres.

    Raises:
        ConfigError: on a word that is none.
    """

    space: str
    fixed_size: tuple[int, int] | None = None
    target_size: tuple[int, int] | None = None
    bound: Bound = "stretch"
    multiple: int = 1
    interpolation: str = "bilinear"
    align_corners: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: str = "rgb"
    layout: str = "nchw"
    border: bool = False
    mirror: bool = False
    output: str = ""
    meaning: str = "values"
    view: str = ""
    restoration: str = "bilinear"
    restoration_align_corners: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name, words in _CHOICES.items():
            if getattr(self, name) not in words:
                msg = f"{name}: expected one of {', '.join(words)}, got {getattr(self, name)!r}"
                raise ConfigError(msg)
        if (self.mean is None) is not (self.std is None):
            msg = "mean and std: expected both, or neither for values of 0 to 255"
            raise ConfigError(msg)

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) that an image of `size`, its border included, is brought to."""
        if self.fixed_size is not None:
            return self.fixed_size
        return bounded_size(size, self.target_size or size, bound=self.bound, multiple=self.multiple)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an exported network is from, and how far it was found from there.

    Attributes:
        model: name of the choice on the command line.
        family: name of its class.
        weights, revision, random_weights, parameters: of the original, see `src.model.base.Provenance`.
        version: of this software.
        opset: of ONNX; 0 for other formats.
        precision: "float32" or "float16".
        quantised: "", "int8_dynamic" or "int8_static".
        calibrated_on: name of the data variant and number of images that static quantisation looked at.
        compared_on: the same of the comparison.
        largest, mean: differences of the prediction from the original's, as parts of its range in each image.
    """

    model: str
    family: str
    weights: str
    revision: str
    random_weights: bool
    parameters: int
    version: str
    opset: int
    precision: str
    quantised: str = ""
    calibrated_on: str = ""
    compared_on: str = ""
    largest: float | None = None
    mean: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """All that a file of ours says about itself."""

    interface: Interface
    origin: Origin

    def text(self) -> str:
        """Return it as JSON; the unit of the output is spelt out for who reads it there."""
        interface = dataclasses.asdict(self.interface)
        unit = UNITS[OutputSpace(self.interface.space)]
        return json.dumps({"interface": interface, "unit": unit, "origin": dataclasses.asdict(self.origin)}, indent=1)


def parse_about(text: str, *, of: str) -> About:
    """Read what a file says about itself.

    Args:
        text: JSON.
        of: name of the file, for messages.

    Raises:
        CheckpointError: if it is damaged, or of a later version that says more.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        interface: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in content["interface"].items()
        }
        return About(interface=Interface(**interface), origin=Origin(**content["origin"]))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        msg = f"{of}: its metadata {KEY!r} cannot be read ({error}); export the network again"
        raise CheckpointError(msg) from error
