"""Exporter: from a loaded model to a file that was held against it."""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.errors import CheckpointError, ConfigError
from src.model.exchange.extra import library
from src.model.exchange.files import files_of_network
from src.model.exchange.graph import Exportable, to_program, write_onnx
from src.model.exchange.interface import KEY, About, Interface, Origin
from src.model.exchange.onnx_file import add_metadata
from src.model.exchange.pipeline import predict, prepare
from src.model.exchange.quantising import KINDS, quantise
from src.model.exchange.sessions import open_session
from src.model.exchange.versions import own_version

FORMATS: Final = {"onnx": ".onnx", "openvino": ".xml", "torch_export": ".pt2"}
_RUNTIME: Final = {"onnx": "onnxruntime", "openvino": "openvino", "torch_export": "torch_export"}
_BOUNDS: Final = {"float32": 5e-3, "float16": 5e-2, "int8_dynamic": 0.25, "int8_static": 0.25}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written.

    Attributes:
        files: it, and those beside it.
        about: what it says about itself.
        bytes: of all.
    """

    files: Sequence[Path]
    about: About
    bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Writes a network as a file, holds the file against the network, and keeps it only if they agree.

    Args:
        format: "onnx", "openvino" or "torch_export".
        size: (height, width) in pixels of the network's input, as "518x686"; None for that of the first image.
        dynamic: whether the file takes other sizes too; they are compared at a second one.
        precision: "float32", or "float16" for weights, and for ONNX also arithmetic, of half the size.
        quantise: "none", "int8_dynamic" or "int8_static".
        opset: of ONNX.
        bound: the largest difference that is accepted, as a part of the range of the original's prediction of each
            image; None for 0.005, 0.05 in half precision and 0.25 in whole numbers.

    Raises:
        ConfigError: on a word that is none, or what does not go together.
    """

    format: str
    size: str | None
    dynamic: bool
    precision: str
    quantise: str
    opset: int
    bound: float | None

    def __post_init__(self) -> None:
        for name, words in (("format", FORMATS), ("precision", ("float32", "float16")), ("quantise", KINDS)):
            if getattr(self, name) not in words:
                msg = f"{name}: expected one of {', '.join(words)}, got {getattr(self, name)!r}"
                raise ConfigError(msg)
        if self.quantise != "none" and (self.format != "onnx" or self.precision != "float32"):
            msg = f"quantise={self.quantise}: expected format=onnx and precision=float32; openvino runs such files too"
            raise ConfigError(msg)
        if self.size is not None:
            _parse_size(self.size)

    def export(
        self, model: Any, images: Sequence[UInt8[Tensor, "1 3 h w"]], output: Path, *, name: str, data: str
    ) -> Exported:
        """Write the file.

        Args:
            model: loaded, in float32, on the processor.
            images: to compare and calibrate with.
            output: the file.
            name: of the model, as on the command line.
            data: name of the data variant of the images.

        Raises:
            ConfigError: if the model cannot be exported, or not so.
            CheckpointError: if the file differs from the model by more than the bound; nothing is kept then.
        """
        part, interface = self._checked(model, images, output)
        origin = self._origin(model, name, data, len(images))
        if self.dynamic:
            images = [*images, *_of_another_size(model, images[0])]
        with torch.no_grad():
            reference = [_original(model, image, interface, part) for image in images]
            pixels = [prepare(image, interface) for image in images]
        if self.precision == "float16" and self.format != "openvino":
            for network in part.networks:
                network.half()
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as place:
            file = Path(place) / output.name
            self._write(part, pixels, file)
            origin = self._compare(file, interface, images, reference, origin)
            about = About(interface=interface, origin=origin)
            self._write_about(file, about)
            files = [output.parent / one.name for one in files_of_network(file)]
            # the file itself last: whoever sees it finds what it reads
            for one in reversed(files_of_network(file)):
                shutil.move(one, output.parent / one.name)
        return Exported(files=files, about=about, bytes=sum(one.stat().st_size for one in files))

    def _checked(self, model: Any, images: Sequence[Tensor], output: Path) -> tuple[Exportable, Interface]:
        if not hasattr(model, "exportable"):
            msg = (
                f"{type(model).__name__} is not one network that takes an image and returns a map, so there is no "
                "single file of it; expected MiDaS, ZoeDepth, Depth Anything or Depth Pro. Evaluate it with "
                "runtime=onnxruntime or openvino, which exports its networks one by one"
            )
            raise ConfigError(msg)
        if output.suffix != FORMATS[self.format]:
            msg = f"output={output}: expected a name that ends in {FORMATS[self.format]}, as format={self.format} does"
            raise ConfigError(msg)
        interface: Interface = model.interface
        first = (images[0].shape[-2], images[0].shape[-1])
        size = _parse_size(self.size) if self.size else model.input_size(first)
        if any(side % interface.multiple for side in size):
            msg = f"size={self.size}: expected multiples of {interface.multiple} pixels for this network"
            raise ConfigError(msg)
        return model.exportable, interface if self.dynamic else dataclasses.replace(interface, fixed_size=size)

    def _origin(self, model: Any, name: str, data: str, count: int) -> Origin:
        known = model.provenance
        return Origin(
            model=name,
            family=type(model).__name__,
            weights=known.weights,
            revision=known.revision,
            random_weights=known.random_weights,
            parameters=known.parameters,
            version=own_version(),
            opset=0 if self.format == "torch_export" else self.opset,
            precision=self.precision,
            quantised="" if self.quantise == "none" else self.quantise,
            calibrated_on=f"{data}, {count} images" if self.quantise == "int8_static" else "",
            compared_on=f"{data}, {count} images",
        )

    def _write(self, part: Exportable, pixels: Sequence[Float[Tensor, "1 3 H W"]], file: Path) -> None:
        program = to_program(part, pixels[:1], dynamic=self.dynamic)
        if self.format == "torch_export":
            torch.export.save(program, file)
            return
        plain = file.with_name("plain.onnx")
        write_onnx(
            program, part, plain if self.format == "openvino" or self.quantise != "none" else file, opset=self.opset
        )
        if self.format == "openvino":
            openvino = library("openvino")
            model = openvino.convert_model(str(plain))
            openvino.save_model(model, str(file), compress_to_fp16=self.precision == "float16")
        elif self.quantise != "none":
            quantise(plain, file, self.quantise, pixels)
        for leftover in file.parent.glob("plain.onnx*"):
            leftover.unlink()

    def _write_about(self, file: Path, about: About) -> None:
        """Put into the file what it is and what was found."""
        if self.format == "onnx":
            add_metadata(file, KEY, about.text())
        elif self.format == "openvino":
            openvino = library("openvino")
            model = openvino.Core().read_model(str(file))
            model.set_rt_info(about.text(), [KEY])
            again = file.with_name(f"again{file.suffix}")
            openvino.save_model(model, str(again), compress_to_fp16=self.precision == "float16")
            del model
            again.with_suffix(".bin").replace(file.with_suffix(".bin"))
            again.replace(file)
        else:
            program = torch.export.load(file)
            torch.export.save(program, file, extra_files={f"{KEY}.json": about.text()})

    @torch.no_grad()
    def _compare(
        self, file: Path, interface: Interface, images: Sequence[Tensor], reference: Sequence[Tensor], origin: Origin
    ) -> Origin:
        session = open_session(file, _RUNTIME[self.format])
        if len(session.inputs) == 1 and session.inputs[0].dtype == "uint8":
            msg = f"{file.name}: expected an input in floating point"
            raise CheckpointError(msg)
        largest, means = 0.0, []
        for image, expected in zip(images, reference, strict=True):
            try:
                found = predict(image, interface, lambda pixels: session.run([pixels]), of=file.name)
            except Exception as error:  # of whatever kind the runtime has
                size = " x ".join(map(str, image.shape[-2:]))
                instead = "; torch has fixed a size on the way: export with dynamic=false" if self.dynamic else ""
                msg = f"the exported network fails on an image of {size} ({str(error).splitlines()[0][:200]}){instead}"
                raise CheckpointError(msg) from error
            difference = (found - expected).abs() / (expected.max() - expected.min())
            largest = max(largest, float(difference.max())) if bool(difference.isfinite().all()) else float("inf")
            means.append(float(difference.mean()))
        kind = origin.quantised or origin.precision
        bound = _BOUNDS[kind] if self.bound is None else self.bound
        if not largest <= bound:
            msg = (
                f"the exported network differs from the original by up to {largest:.1e} of the range of its prediction "
                f"({origin.compared_on}), expected at most {bound:g}; nothing was kept. To keep it all the same, set "
                f"bound={2 * largest:.1g}, say"
            )
            raise CheckpointError(msg)
        return dataclasses.replace(origin, largest=largest, mean=sum(means) / len(means))


def _of_another_size(model: Any, image: UInt8[Tensor, "1 3 h w"]) -> list[Tensor]:
    """Return a part of an image that the network sees at another size; none where its rule knows but one."""
    height, width = image.shape[-2:]
    parts = (image[..., : height // 2, :], image[..., : width // 2])
    whole = model.input_size((height, width))
    return [part for part in parts if model.input_size((part.shape[-2], part.shape[-1])) != whole][:1]


def _original(model: Any, image: UInt8[Tensor, "1 3 h w"], interface: Interface, part: Exportable) -> Tensor:
    """Predict as the model does; or by its network, where the file has a size that the model would not choose."""
    size = (image.shape[-2], image.shape[-1])
    if interface.fixed_size in (None, model.input_size(size)):
        values: Tensor = model.infer(image, ("image",))
        return values
    return predict(image, interface, lambda pixels: part.run([pixels]), of="the original")


def _parse_size(words: str) -> tuple[int, int]:
    height, _, width = str(words).partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        msg = f"size={words}: expected height x width in pixels; type size=518x686, say"
        raise ConfigError(msg)
    return int(height), int(width)
