"""What of a model is exported: a call of its networks, as a module with tensors in and named tensors out."""

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from src.core.errors import ConfigError
from src.model.exchange.extra import library

OPSET: Final = 20
"""Of ONNX: the first that has everything the networks here need as single operators."""

_APART: Final = 3 << 29  # bytes; from 2 GiB on weights must lie beside the file


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exportable:
    """A call that can become a file.

    Attributes:
        networks: the modules with the weights.
        call: takes tensors, returns one or a tuple of them.
        inputs, outputs: their names.
    """

    networks: Sequence[nn.Module]
    call: Callable[..., Tensor | tuple[Tensor, ...]]
    inputs: Sequence[str] = ("pixel_values",)
    outputs: Sequence[str] = ("predicted_depth",)

    def run(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """Call it, as a session of a file is."""
        found = self.call(*tensors)
        several = (found,) if isinstance(found, Tensor) else found
        return dict(zip(self.outputs, several, strict=True))


class _Graph(nn.Module):
    """A call as a module of its own, which exporters take."""

    def __init__(self, part: Exportable) -> None:
        super().__init__()
        self.networks = nn.ModuleList(part.networks)
        self._call = part.call

    def forward(self, *tensors: Any) -> Any:
        """Pass tensors through; exporters put symbols in their place."""
        return self._call(*tensors)


def to_program(part: Exportable, example: Sequence[Tensor], *, dynamic: bool) -> torch.export.ExportedProgram:
    """Trace a call.

    Args:
        part: to be traced.
        example: tensors that it is called with.
        dynamic: whether the last two axes of the first of them may have other lengths.

    Raises:
        ConfigError: if it cannot be traced so.
    """
    any_length = torch.export.Dim.DYNAMIC
    axes = [{2: any_length, 3: any_length} if dynamic and not place else None for place in range(len(example))]
    try:
        with traceable(part.networks), torch.no_grad():
            return torch.export.export(
                _Graph(part).eval(), tuple(example), dynamic_shapes=(tuple(axes),) if dynamic else None, strict=False
            )
    except Exception as error:  # torch's exporter raises whatever a network's code leads to
        how = "of any size" if dynamic else f"of {tuple(example[0].shape)}"
        msg = (
            f"torch {torch.__version__} cannot export this network {how} ({type(error).__name__}: "
            f"{str(error).strip().splitlines()[0][:200]}){'; use dynamic=false and name the size' if dynamic else ''}"
        )
        raise ConfigError(msg) from error


def write_onnx(program: torch.export.ExportedProgram, part: Exportable, path: Path, *, opset: int = OPSET) -> None:
    """Write a traced call as ONNX, its weights in a file beside it where they do not fit in.

    Raises:
        ConfigError: if torch cannot translate it.
    """
    library("onnxscript")
    bytes_ = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    try:
        with _quiet_exporter():
            translated: Any = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                opset_version=opset,
                verbose=False,
            )
            translated.save(str(path), external_data=bytes_ > _APART)
    except Exception as error:  # as above
        msg = f"torch {torch.__version__} cannot write this network as ONNX of opset {opset}: {_reason(error)}"
        raise ConfigError(msg) from error


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence what the translation says about every step of it."""
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "onnxscript", "torch.onnx")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0][:200]}"


@contextlib.contextmanager
def traceable(networks: Sequence[nn.Module]) -> Iterator[None]:
    """Have networks compute in ways that exporters can follow.

    A module that decides in Python what to compute next says by an attribute `selects` that it can compute everything
    and select. BEiT's fused attention leaves an order of axes that the translation to ONNX stumbles over.
    """
    modules = [module for network in networks for module in network.modules()]
    deciding = [module for module in modules if hasattr(module, "selects")]
    configs: dict[int, Any] = {id(module.config): module.config for module in modules if hasattr(module, "config")}
    beit = [config for config in configs.values() if getattr(config, "model_type", "") == "beit"]
    before = [config._attn_implementation for config in beit]
    try:
        for module in deciding:
            module.selects = True  # type: ignore[assignment]  # an attribute of its own
        for config in beit:
            config._attn_implementation = "eager"
        yield
    finally:
        for module in deciding:
            module.selects = False  # type: ignore[assignment]
        for config, kind in zip(beit, before, strict=True):
            config._attn_implementation = kind
