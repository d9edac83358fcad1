"""A file of a network, opened by a runtime: pixels in, named outputs back."""

import dataclasses
import io
import re
import types
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.model.exchange.extra import library
from src.model.exchange.interface import KEY
from src.model.exchange.onnx_file import check_onnx, metadata_of

RUNTIMES: Final[Mapping[str, tuple[str, ...]]] = types.MappingProxyType(
    {
        "onnxruntime": (".onnx",),
        "openvino": (".onnx", ".xml"),
        "torch_export": (".pt2",),
        "torchscript": (".pt", ".pth", ".ts"),
    }
)
"""Suffixes of the files that each reads."""

_TYPES: Final = {"float": "float32", "float16": "float16", "uint8": "uint8", "f32": "float32", "f16": "float16"}
_ABOUT_FILE: Final = f"{KEY}.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of a file.

    Attributes:
        name: of it.
        shape: lengths of the axes, None where any will do.
        dtype: "float32", "float16" or "uint8".
    """

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open file.

    Attributes:
        inputs: what it takes; () where the format does not tell.
        run: takes tensors in the order of the inputs, returns named outputs on the CPU.
        about: what it says about itself, "" if nothing of ours.
    """

    inputs: Sequence[Input]
    run: Callable[[Sequence[Tensor]], dict[str, Tensor]]
    about: str


def open_session(path: Path, runtime: str, *, provider: str = "cpu", threads: int = 0) -> Session:
    """Open a file of a network.

    Args:
        path: of it.
        runtime: one of `RUNTIMES`.
        provider: what computes: "cpu", or a word that the runtime knows, such as "cuda", "tensorrt", "coreml" or "gpu".
        threads: of the processor; 0 for those of torch.

    Raises:
        ConfigError: if the runtime is not installed, does not read such files or has no such provider.
        CheckpointError: if the file is not there, damaged, or of a version that the runtime does not know.
    """
    if runtime not in RUNTIMES:
        msg = f"runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}"
        raise ConfigError(msg)
    if not path.is_file():
        msg = f"model.weights={path}: expected a file of a network ({', '.join(RUNTIMES[runtime])}), but there is none"
        raise CheckpointError(msg)
    if path.suffix not in RUNTIMES[runtime]:
        msg = f"model.weights={path}: {runtime} reads {', '.join(RUNTIMES[runtime])}, got {path.suffix or 'no suffix'}"
        raise ConfigError(msg)
    openers = {"onnxruntime": _onnxruntime, "openvino": _openvino, "torch_export": _exported, "torchscript": _script}
    return openers[runtime](path, provider, threads or torch.get_num_threads())


def read_about(path: Path) -> str:
    """Return what a file says about itself without running it; "" if nothing, or nothing that is ours."""
    if path.suffix == ".onnx":
        return metadata_of(path).get(KEY, "")
    if path.suffix == ".xml":
        core = library("openvino").Core()
        return _openvino_about(_read_openvino(core, path))
    return _archived_about(path)


def _archived_about(path: Path) -> str:
    """Of an archive of torch, whose extra files keep their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/{_ABOUT_FILE}")]
            return archive.read(names[0]).decode() if names else ""
    except (OSError, zipfile.BadZipFile) as error:
        msg = f"{path}: cannot be read as an archive of torch: {error}; export or download it again"
        raise CheckpointError(msg) from error


def _onnxruntime(path: Path, provider: str, threads: int) -> Session:
    ort = library("onnxruntime")
    check_onnx(path)
    there = {name.removesuffix("ExecutionProvider").lower(): name for name in ort.get_available_providers()}
    if provider not in there:
        msg = f"model.provider={provider}: onnxruntime {ort.__version__} has {', '.join(there)} here; choose one"
        raise ConfigError(msg)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # its errors come as exceptions
    try:
        session = ort.InferenceSession(str(path), options, providers=[there[provider]])
    except Exception as error:  # its classes derive from nothing narrower
        raise CheckpointError(_unusable(path, f"onnxruntime {ort.__version__}", error)) from error
    inputs = [
        Input(
            name=one.name,
            shape=tuple(length if isinstance(length, int) else None for length in one.shape),
            dtype=_type_of(one.type.removeprefix("tensor(").removesuffix(")"), path),
        )
        for one in session.get_inputs()
    ]
    names = [one.name for one in session.get_outputs()]

    def run(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        given = {one.name: _array(tensor, one) for one, tensor in zip(inputs, tensors, strict=True)}
        try:
            found = session.run(None, given)
        except Exception as error:
            raise PredictionError(_failed(path, error)) from error
        return {name: torch.from_numpy(values) for name, values in zip(names, found, strict=True)}

    return Session(inputs=inputs, run=run, about=session.get_modelmeta().custom_metadata_map.get(KEY, ""))


def _read_openvino(core: Any, path: Path) -> Any:
    try:
        return core.read_model(str(path))
    except Exception as error:  # of its own compiled code
        raise CheckpointError(_unusable(path, "openvino", error)) from error


def _openvino_about(model: Any) -> str:
    return str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else ""


def _openvino(path: Path, provider: str, threads: int) -> Session:
    openvino = library("openvino")
    if path.suffix == ".onnx":
        check_onnx(path)
    core = openvino.Core()
    there = {name.lower(): name for name in core.available_devices}
    if provider not in there:
        msg = f"model.provider={provider}: openvino has {', '.join(there)} here; choose one"
        raise ConfigError(msg)
    model = _read_openvino(core, path)
    # on processors that have units for it, it would compute in bfloat16 by itself
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if provider == "cpu":
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        compiled = core.compile_model(model, there[provider], options)
    except Exception as error:
        raise CheckpointError(_unusable(path, "openvino", error)) from error
    inputs = [
        Input(
            name=one.get_any_name(),
            shape=tuple(None if axis.is_dynamic else axis.get_length() for axis in one.get_partial_shape())
            if one.get_partial_shape().rank.is_static
            else None,
            dtype=_type_of(one.get_element_type().get_type_name(), path),
        )
        for one in model.inputs
    ]
    request = compiled.create_infer_request()

    def run(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        given = [_array(tensor, one) for one, tensor in zip(inputs, tensors, strict=True)]
        try:
            found = request.infer(given)
        except Exception as error:
            raise PredictionError(_failed(path, error)) from error
        return {_name(port): torch.from_numpy(np.array(values)) for port, values in found.items()}

    about = metadata_of(path).get(KEY, "") if path.suffix == ".onnx" else _openvino_about(model)
    return Session(inputs=inputs, run=run, about=about)


def _name(port: Any) -> str:
    return str(port.get_any_name()) if port.get_names() else "output"


def _exported(path: Path, provider: str, _threads: int) -> Session:
    _refuse_provider("torch_export", provider)
    about = _archived_about(path)
    try:
        module = torch.export.load(path).module()
    except Exception as error:  # whatever a damaged archive leads to
        raise CheckpointError(_unusable(path, f"torch {torch.__version__}", error)) from error
    return Session(inputs=(), run=_of_torch(module, path), about=about)


def _script(path: Path, provider: str, _threads: int) -> Session:
    _refuse_provider("torchscript", provider)
    about = _archived_about(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(io.BytesIO(path.read_bytes()), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise CheckpointError(_unusable(path, f"torch {torch.__version__}", error)) from error
    return Session(inputs=(), run=_of_torch(module, path), about=about)


def _refuse_provider(runtime: str, provider: str) -> None:
    if provider != "cpu":
        msg = f"model.provider={provider}: {runtime} files are run on the processor here; leave it at cpu"
        raise ConfigError(msg)


def _of_torch(module: Any, path: Path) -> Callable[[Sequence[Tensor]], dict[str, Tensor]]:
    def run(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        try:
            found = module(*tensors)
        except Exception as error:  # of whatever kind a foreign program raises
            raise PredictionError(_failed(path, error)) from error
        if isinstance(found, Mapping):
            return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
        several = found if isinstance(found, list | tuple) else [found]
        return {str(place): value for place, value in enumerate(several) if isinstance(value, Tensor)}

    return run


def _type_of(word: str, path: Path) -> str:
    if word not in (*_TYPES, "u8", "int64", "i64"):
        msg = f"{path}: expected an input of float32, float16 or uint8, got {word}; convert it in the file"
        raise CheckpointError(msg)
    return {"u8": "uint8", "int64": "int64", "i64": "int64", **_TYPES}[word]


def _array(tensor: Tensor, one: Input) -> Any:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=one.dtype)


def _unusable(path: Path, runtime: str, error: Exception) -> str:
    return f"{path}: {runtime} cannot load it: {_words(error)}; export or download it again, or try the other runtime"


def _failed(path: Path, error: Exception) -> str:
    return f"{path}: could not be run: {_words(error)}; check size, layout and type of its input"


def _words(error: Exception) -> str:
    """The first line that says something; compiled code puts places in its own source before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not re.match(r"(Exception from|Check ')", line)] or lines
    return telling[0][:300] if telling else type(error).__name__
