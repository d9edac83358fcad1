"""A file .onnx as data: what it says about itself, and whether it asks for anything outside itself that it may not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from src.core.errors import CheckpointError
from src.model.exchange.extra import library


def read_onnx(path: Path, *, weights: bool = True) -> Any:
    """Read a file.

    Args:
        path: of it.
        weights: whether weights in files beside it are read too.

    Raises:
        CheckpointError: if it is none, or damaged.
    """
    onnx = library("onnx")
    try:
        return onnx.load(str(path), load_external_data=weights)
    except Exception as error:  # protobuf's, which is no public class
        msg = f"{path}: cannot be read as ONNX ({error}); it is damaged or cut off: export or download it again"
        raise CheckpointError(msg) from error


def metadata_of(path: Path) -> Mapping[str, str]:
    """Return the words that a file carries by key.

    Raises:
        CheckpointError: if it is none, or damaged.
    """
    return {entry.key: entry.value for entry in read_onnx(path, weights=False).metadata_props}


def add_metadata(path: Path, key: str, text: str) -> None:
    """Write words into a file; weights beside it stay where they are."""
    model = read_onnx(path, weights=False)
    kept = [entry for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=key, value=text)
    path.write_bytes(model.SerializeToString())


def files_of(path: Path) -> list[Path]:
    """Return a file and those beside it that hold its weights.

    Raises:
        CheckpointError: if it is damaged, or one of them is missing or lies outside its folder.
    """
    places = sorted({place for tensor in _tensors(read_onnx(path, weights=False).graph) for place in _places(tensor)})
    folder = path.parent.resolve()
    files = [path]
    for place in places:
        file = (folder / place).resolve()
        if Path(place).is_absolute() or not file.is_relative_to(folder):
            msg = (
                f"{path}: its weights are to be read from {place!r}, outside its folder; this file is not to be trusted"
            )
            raise CheckpointError(msg)
        if not file.is_file():
            msg = (
                f"{path}: its weights lie in {place!r} beside it, but there is none; bring that file too, by this name"
            )
            raise CheckpointError(msg)
        files.append(file)
    return files


def check_onnx(path: Path) -> None:
    """Make sure that a file is whole and asks for nothing outside its folder.

    Raises:
        CheckpointError: if not.
    """
    files_of(path)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors(inner)


def _places(tensor: Any) -> list[str]:
    return [entry.value for entry in tensor.external_data if entry.key == "location"]
