"""The files that a network consists of."""

from pathlib import Path

from src.model.exchange import onnx_file


def files_of_network(path: Path) -> list[Path]:
    """Return a file and those beside it that it reads.

    Raises:
        CheckpointError: if one is missing, or lies where it may not.
    """
    if path.suffix == ".onnx":
        return onnx_file.files_of(path)
    weights = path.with_suffix(".bin")
    return [path, weights] if path.suffix == ".xml" and weights.is_file() else [path]
