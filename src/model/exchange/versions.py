"""The versions of all that has a part in exporting a network."""

from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("leadline", "torch", "transformers", "diffusers", "timm", "onnx", "onnxscript", "onnxruntime", "openvino")


def versions() -> dict[str, str]:
    """Return them by name; "" where a package is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def own_version() -> str:
    """Return that of this software."""
    return _version(_PACKAGES[0])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
