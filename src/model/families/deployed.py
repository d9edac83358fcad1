"""Networks as they are shipped: files .onnx, .xml, .pt2 and .pt, run by the runtime that will run them there."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.core.resize import Bound
from src.model.base import DepthModel, Provenance
from src.model.checkpoints.release import digest_of
from src.model.exchange.files import files_of_network
from src.model.exchange.interface import About, Interface, parse_about
from src.model.exchange.pipeline import predict, size_for
from src.model.exchange.sessions import Input, Session, open_session, read_about

_OF_CODE = ("torch_export", "torchscript")


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Deployed(DepthModel):
    """A network in a file. What files of `python -m src.export` say about themselves is taken from them.

    For files of others the settings below say it; a setting that is null is the file's own, or else the plainest. The
    network gets one image at a time, as where it is deployed.

    Attributes:
        weights: the file.
        runtime: "onnxruntime", "openvino", "torch_export" or "torchscript".
        provider: what computes: "cpu", or a word of the runtime.
        allow_code: whether the file may be read though that runs code it holds or asks for, as that of torch's own
            formats does; only for files whose origin you trust.
        resolution: "default": the file's size rule, or its fixed size.
        space, target_size, bound, multiple, interpolation, align_corners, mean, std, channels, layout, border, mirror,
        output, meaning, view, restoration, restoration_align_corners, scale: see `Interface`.

    Raises:
        ConfigError: on a word that is none, another resolution, or a file of code that is not trusted.
    """

    weights: str
    runtime: str
    provider: str
    allow_code: bool
    resolution: int | str
    space: dataclasses.InitVar[str | None]
    target_size: Sequence[int] | None
    bound: Bound | None
    multiple: int | None
    interpolation: str | None
    align_corners: bool | None
    mean: Sequence[float] | None
    std: Sequence[float] | None
    channels: str | None
    layout: str | None
    border: bool | None
    mirror: bool | None
    output: str | None
    meaning: str | None
    view: str | None
    restoration: str | None
    restoration_align_corners: bool | None
    scale: float | None

    def __post_init__(self, space: str | None) -> None:
        super().__init__()
        self.path = Path(self.weights).expanduser()
        self._space = space
        self._session: Session | None = None
        self._revision = ""
        if self.resolution != "default":
            msg = f"resolution={self.resolution}: expected default, since a file knows its size; set model.target_size"
            raise ConfigError(msg)
        if not self.path.is_file():
            msg = f"model.weights={self.weights}: expected a file of a network, but there is none; check the path"
            raise CheckpointError(msg)
        if self.runtime in _OF_CODE and not self.allow_code:
            msg = (
                f"{self.path}: a file of {self.runtime} is a program, and reading it can run what it asks for; if you "
                "trust its origin, set model.allow_code=true, or export to ONNX, which is data"
            )
            raise ConfigError(msg)
        self.space = OutputSpace(self.interface.space)

    @functools.cached_property
    def about(self) -> About | None:
        """What the file says about itself; None of a file of others."""
        text = read_about(self.path)
        return parse_about(text, of=str(self.path)) if text else None

    @functools.cached_property
    def interface(self) -> Interface:
        """How the network is fed: as configured, else as the file says."""
        said: dict[str, Any] = {}
        if self.about is not None:
            said = {field.name: getattr(self.about.interface, field.name) for field in dataclasses.fields(Interface)}
        names = {field.name for field in dataclasses.fields(Interface)} - {"space", "fixed_size"}
        given = {name: getattr(self, name) for name in names} | {"space": self._space}
        chosen = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if said and "space" in chosen and chosen["space"] != said["space"]:
            msg = f"{self.path}: it predicts {said['space']}, got model.space={chosen['space']}; leave that out"
            raise ConfigError(msg)
        if not said and "space" not in chosen:
            msg = (
                f"model.space: expected one of {', '.join(OutputSpace)}, since {self.path} does not say what it "
                "predicts; set it, and what else the file's authors say of size, mean and std (docs/deploy.md)"
            )
            raise ConfigError(msg)
        return Interface(**{**said, **chosen})

    def load(self) -> None:
        """Open the file.

        Raises:
            CheckpointError: if it is damaged, or takes no image.
            ConfigError: if the runtime cannot run it here.
        """
        session = open_session(self.path, self.runtime, provider=self.provider)
        if session.inputs:
            self._check(session.inputs)
        self._session = session
        self._revision = digest_of(self.path) if len(files := self.files(())) == 1 else _digest_of_all(files)

    def _check(self, inputs: Sequence[Input]) -> None:
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            msg = f"{self.path}: expected a network that takes one image, got {len(inputs)} inputs ({names})"
            raise CheckpointError(msg)
        shape = inputs[0].shape
        if shape is None:
            return
        channels = 3 if self.interface.layout == "nhwc" else 1
        if len(shape) != 4 or shape[channels] not in (3, None) or shape[0] not in (1, None):
            wanted = "(1, h, w, 3)" if channels == 3 else "(1, 3, h, w)"
            shown = ", ".join("any" if length is None else str(length) for length in shape)
            msg = f"{self.path}: expected an input of shape {wanted}, got ({shown}); set model.layout=nchw or nhwc"
            raise CheckpointError(msg)
        sides = (shape[1], shape[2]) if channels == 3 else (shape[2], shape[3])
        if sides[0] is not None and sides[1] is not None:
            self.interface = dataclasses.replace(self.interface, fixed_size=(sides[0], sides[1]))

    def files(self, names: Sequence[str]) -> list[Path]:
        """Return the file and those beside it that it reads."""
        return files_of_network(self.path)

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the file's fixed size, or apply its size rule; a fixed size is known once loaded."""
        return size_for(size, self.interface)

    @property
    def provenance(self) -> Provenance:
        """The file, and the original that it says it is from."""
        settings: dict[str, str | int] = {
            "runtime": self.runtime,
            "bytes": sum(file.stat().st_size for file in self.files(())),
        }
        if self.about is None:
            return Provenance(weights=self.weights, revision=self._revision, space_declared=True, settings=settings)
        origin = self.about.origin
        settings |= {
            "exported_from": origin.model,
            "original_weights": origin.weights,
            "original_revision": origin.revision,
            "precision": origin.precision,
            "quantised": origin.quantised,
        }
        return Provenance(
            weights=self.weights,
            revision=self._revision,
            random_weights=origin.random_weights,
            parameters=origin.parameters,
            settings=settings,
        )

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict in the space of the file, one image after another."""
        return torch.cat([self._predict(one[None]) for one in image])

    def _predict(self, image: UInt8[Tensor, "1 3 h w"]) -> Float[Tensor, "1 1 h w"]:
        session = self._session
        if session is None:
            msg = f"{self.path} is not loaded"
            raise RuntimeError(msg)
        as_bytes = bool(session.inputs) and session.inputs[0].dtype == "uint8"
        values = predict(
            image.cpu(), self.interface, lambda pixels: session.run([pixels]), of=str(self.path), as_bytes=as_bytes
        )
        return values.to(image.device)


def _digest_of_all(files: Sequence[Path]) -> str:
    digest = hashlib.sha256("".join(digest_of(file) for file in files).encode())
    return f"sha256:{digest.hexdigest()}"
