"""Export as a configuration asks for: compose -> build -> load -> export -> say how far the file is from the model."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from src.core.errors import ConfigError
from src.core.terminal import terminal
from src.engine.cell.build import Builder
from src.engine.cell.keys import FLAG, TEXT, key, read, whole
from src.engine.cell.request import plain
from src.engine.process.environment import quieten


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Where an export goes, and what it is held against.

    Attributes: as conf/export.yaml says.
    """

    output: str = key(TEXT, "depth.onnx")
    images: int = key(whole(1), 4)
    force: bool = key(FLAG, True)


def export_and_show(cfg: DictConfig, _folder: Path) -> None:
    """Export a network and print what came of it.

    Raises:
        LeadlineError: for everything the user can mend; nothing is kept then.
    """
    quieten()
    request, build = read(ExportRequest, plain(cfg)), Builder(cfg)
    output = Path(request.output).expanduser()
    if output.exists() and not request.force:
        msg = f"output={output} is there already; choose another name, or force=true to replace it"
        raise ConfigError(msg)
    exporter: Any = build.exporter()
    images = _images(build, request.images)
    model: Any = build.model()
    model.configure_model()
    choices = HydraConfig.get().runtime.choices
    exported = exporter.export(model, images, output, name=str(choices["model"]), data=str(choices["data"]))
    _show(exported, terminal())


def _images(build: Builder, count: int) -> list[torch.Tensor]:
    dataset: Any = build.datamodule().dataset  # type: ignore[attr-defined]
    return [dataset[place].image for place in range(min(count, len(dataset)))]


def _show(exported: Any, console: Console) -> None:
    interface, origin = exported.about.interface, exported.about.origin
    size = "any size of its rule" if interface.fixed_size is None else "{} x {} pixels".format(*interface.fixed_size)
    opset = f"opset {origin.opset}" if origin.opset else ""
    kind = ", ".join(word for word in (origin.precision, origin.quantised, opset) if word)
    for line in (
        f"{origin.model}: {kind}, {size}, {exported.bytes / 2**20:.1f} MiB",
        f"largest difference from the original {origin.largest:.1e}, mean {origin.mean:.1e} of its prediction's range"
        f" ({origin.compared_on})",
        *(f"ranges of activations from {words}" for words in [origin.calibrated_on] if words),
        *(str(file) for file in exported.files),
        f"to evaluate it: {_command(exported.files[0])} data=<data>",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _command(file: Path) -> str:
    words = {".onnx": "model=onnx", ".xml": "model=openvino", ".pt2": "model=torch_export model.allow_code=true"}
    return f"python -m src.eval {words[file.suffix]} model.weights={file}"
