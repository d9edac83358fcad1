"""A network in whole numbers of eight bits, by ONNX Runtime's quantiser."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from src.core.errors import ConfigError
from src.model.exchange.extra import library

KINDS: Final = ("none", "int8_dynamic", "int8_static")

_DYNAMIC: Final = ["MatMul", "Gemm"]
"""Convolutions with scales found at run time have no kernel for signed weights: such files do not load."""


def quantise(source: Path, target: Path, kind: str, calibration: Sequence[Tensor]) -> None:
    """Write a quantised network.

    Args:
        source: file .onnx in float32.
        target: file to be written.
        kind: "int8_dynamic": weights of matrix products, activations as they come; "int8_static": also convolutions and
            activations, whose ranges are those on the calibration images.
        calibration: inputs (1, 3, h, w) of the network.

    Raises:
        ConfigError: if the quantiser cannot.
    """
    library("onnxruntime")
    tools: Any = library("onnxruntime.quantization")
    before: Any = library("onnxruntime.quantization.shape_inference")
    inferred = target.with_name("inferred.onnx")
    try:
        before.quant_pre_process(str(source), str(inferred), skip_symbolic_shape=True)
        if kind == "int8_dynamic":
            tools.quantize_dynamic(
                str(inferred), str(target), weight_type=tools.QuantType.QInt8, op_types_to_quantize=_DYNAMIC
            )
        else:
            tools.quantize_static(
                str(inferred), str(target), _reader(tools, calibration), per_channel=True,
                weight_type=tools.QuantType.QInt8, activation_type=tools.QuantType.QUInt8,
                op_types_to_quantize=["Conv", *_DYNAMIC],
            )  # fmt: skip
    except Exception as error:  # it raises whatever its passes lead to
        lines = str(error).strip().splitlines() or [""]
        msg = f"quantise={kind}: onnxruntime cannot quantise this network ({type(error).__name__}: {lines[0][:200]})"
        raise ConfigError(msg) from error
    finally:
        inferred.unlink(missing_ok=True)


def _reader(tools: Any, calibration: Sequence[Tensor]) -> Any:
    left: Iterator[Tensor] = iter(calibration)

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc]  # the quantiser asks for one of its own
        def get_next(self) -> dict[str, Any] | None:
            pixels = next(left, None)
            return None if pixels is None else {"pixel_values": pixels.numpy()}

    return Reader()
