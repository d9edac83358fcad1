"""From an image to a prediction around a network that is a file: everything that is not in the graph."""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from src.core.errors import PredictionError
from src.core.resize import normalise, resize, to_unit_range
from src.model.exchange.interface import Interface

Call = Callable[[Tensor], Mapping[str, Tensor]]
"""Takes pixels of one image as the file wants them, returns its outputs by name."""

_NEAREST_INVERSE, _FARTHEST_INVERSE = 1e4, 1e-4  # in 1/m, of Depth Pro


def border_of(size: tuple[int, int], interface: Interface) -> tuple[int, int]:
    """Return the rows and columns that are reflected on either side of an image of (height, width)."""
    height, width = size
    return (int(math.sqrt(height / 2) * 3), int(math.sqrt(width / 2) * 3)) if interface.border else (0, 0)


def size_for(size: tuple[int, int], interface: Interface) -> tuple[int, int]:
    """Return the (height, width) that the network sees of an image of `size`."""
    rows, columns = border_of(size, interface)
    return interface.input_size((size[0] + 2 * rows, size[1] + 2 * columns))


def prepare(image: UInt8[Tensor, "1 3 h w"], interface: Interface) -> Float[Tensor, "1 c H W"]:
    """Return the pixels of an image as the network wants them, apart from their layout and type."""
    size = (image.shape[-2], image.shape[-1])
    rows, columns = border_of(size, interface)
    pixels = to_unit_range(image)
    if interface.border:
        pixels = F.pad(pixels, (columns, columns, rows, rows), mode="reflect")
    pixels = resize(
        pixels,
        size_for(size, interface),
        mode=interface.interpolation,  # type: ignore[arg-type]  # one of the two, see Interface
        align_corners=interface.align_corners,
    )
    if interface.channels == "bgr":
        pixels = pixels.flip(1)
    if interface.mean is None or interface.std is None:
        return pixels * 255
    return normalise(pixels, interface.mean, interface.std)


def predict(
    image: UInt8[Tensor, "1 3 h w"], interface: Interface, call: Call, *, of: str, as_bytes: bool = False
) -> Float[Tensor, "1 1 h w"]:
    """Predict for one image, in the units of the interface's space.

    Args:
        image: (1, 3, h, w) sRGB bytes.
        interface: of the network.
        call: runs it.
        of: name of the file, for messages.
        as_bytes: whether the file takes bytes.

    Raises:
        PredictionError: if what it returns is no map.
    """
    pixels = prepare(image, interface)
    values = _answer(pixels, interface, call, of=of, as_bytes=as_bytes)
    if interface.mirror:
        mirrored = _answer(pixels.flip(-1), interface, call, of=of, as_bytes=as_bytes)
        values = (values + mirrored.flip(-1)) / 2
    (height, width), (rows, columns) = image.shape[-2:], border_of((image.shape[-2], image.shape[-1]), interface)
    values = resize(
        values,
        (height + 2 * rows, width + 2 * columns),
        mode=interface.restoration,  # type: ignore[arg-type]  # one of the two, see Interface
        align_corners=interface.restoration_align_corners,
    )[..., rows : rows + height, columns : columns + width]
    if interface.meaning == "canonical_inverse_depth":
        return 1 / values.clamp(_FARTHEST_INVERSE, _NEAREST_INVERSE)
    return values * interface.scale


def _answer(
    pixels: Float[Tensor, "1 c H W"],
    interface: Interface,
    call: Call,
    *,
    of: str,
    as_bytes: bool,
) -> Float[Tensor, "1 1 hh ww"]:
    given = pixels.round().clamp(0, 255).to(torch.uint8) if as_bytes else pixels
    outputs = call(given.permute(0, 2, 3, 1).contiguous() if interface.layout == "nhwc" else given)
    names = [name for name in (interface.output, interface.view) if name]
    if list(outputs) == [str(place) for place in range(len(names))]:  # of a program of torch, which names none
        outputs = dict(zip(names, outputs.values(), strict=True))
    values = _as_map(_pick(outputs, interface.output, of), of)
    if interface.meaning == "canonical_inverse_depth":
        view = torch.deg2rad(_pick(outputs, interface.view, of).float().reshape(()))
        values = values * (2 * torch.tan(0.5 * view))  # width over focal length
    return values


def _pick(outputs: Mapping[str, Tensor], name: str, of: str) -> Tensor:
    if not name and len(outputs) == 1:
        return next(iter(outputs.values()))
    if name in outputs:
        return outputs[name]
    asked = f"an output {name!r}" if name else "one output"
    shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in outputs.items())
    msg = f"{of}: expected {asked}, got {shapes}; set model.output to the name of the prediction"
    raise PredictionError(msg)


def _as_map(values: Shaped[Tensor, "..."], of: str) -> Float[Tensor, "1 1 hh ww"]:
    """Return a map from any of the shapes that exporters leave: axes of length 1 before or after the two of it."""
    sides = [length for length in values.shape if length != 1]
    if len(sides) != 2:
        msg = (
            f"{of}: expected a map of one image as output, such as (1, h, w) or (1, 1, h, w), got "
            f"{tuple(values.shape)}; set model.output to the name of the prediction"
        )
        raise PredictionError(msg)
    return values.float().reshape(1, 1, *sides)
