"""Depth models of other repositories and packages, called as their authors call them."""

import dataclasses
import hashlib
import importlib
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.resize import Bound, bounded_size, normalise, resize, to_unit_range
from src.core.sample import Sample
from src.model.base import DepthModel, Provenance, parse_resolution


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class External(DepthModel):
    """What a factory of an installed package returns, called with images.

    Attributes:
        factory: "package.module:function", or a class, or a method of one, that returns the model.
        arguments: keywords of the factory.
        call: name of the model's method that predicts; null to call the model itself.
        options: further keywords of that call.
        space: value of the `OutputSpace` of the predictions.
        mean, std: of the channels, for images (x / 255 - mean) / std; null for both to hand over bytes.
        target_size: (height, width) in pixels to aim at; null for the image's own size.
        bound, multiple: the size rule, see `src.core.resize.bounded_size`.
        interpolation: of images to that size, "bicubic" or "bilinear", without antialiasing.
        resolution: "default" for `target_size`, "native" for the image's own size, or the side of a square to aim at.
        together: whether a batch goes through at once, (b, 3, h, w); otherwise one by one, (1, 3, h, w).
        output: key, attribute or position of the prediction in what the call returns; null where it is the prediction.
            Maps are (b, h, w), (b, 1, h, w) or (h, w) of one image; of point maps, which have three coordinates in
            the last axis or the second, the third is taken.
        camera: keyword by which the call takes the sample's camera; null to keep it.
        camera_as: what it takes, of the image that it is given: "matrix" (b, 3, 3), intrinsics in pixels;
            "focal_length" (b,), horizontal, in pixels; "field_of_view" (b,), horizontal, in degrees.

    Raises:
        ConfigError: if a setting is none of these.
    """

    factory: str
    arguments: Mapping[str, Any]
    call: str | None
    options: Mapping[str, Any]
    space: dataclasses.InitVar[str]
    mean: Sequence[float] | None
    std: Sequence[float] | None
    target_size: Sequence[int] | None
    bound: Bound
    multiple: int
    interpolation: str
    resolution: int | str
    together: bool
    output: str | int | None
    camera: str | None
    camera_as: str

    network: Any = dataclasses.field(init=False)

    half_refused = "only the package of the model knows how to run it so; expected model.arguments that ask it to"

    def __post_init__(self, space: str) -> None:
        super().__init__()
        self.space = OutputSpace.named(space)
        parse_resolution(self.resolution)
        if (self.mean is None) != (self.std is None):
            msg = f"model.mean={self.mean}, model.std={self.std}: expected both, or null for both to hand over bytes"
            raise ConfigError(msg)
        if self.camera_as not in _CAMERAS or self.interpolation not in ("bicubic", "bilinear"):
            msg = (
                f"model.camera_as={self.camera_as}, model.interpolation={self.interpolation}: expected one of "
                f"{', '.join(_CAMERAS)}, and bicubic or bilinear"
            )
            raise ConfigError(msg)
        self._revision = ""

    def load(self) -> None:
        """Build the model by its factory, in this process.

        Raises:
            CheckpointError: if there is no such factory, it fails, or what it returns has no such call.
        """
        factory = self.find_factory()
        try:
            network = factory(**self.arguments)
        except Exception as error:
            msg = f"{self.named}: cannot be built with {dict(self.arguments)}: {type(error).__name__}: {error}"
            raise CheckpointError(msg) from error
        if not callable(getattr(network, self.call, None) if self.call else network):
            msg = (
                f"{self.named}: expected a model to call{f' by its method {self.call}' if self.call else ''}, got "
                f"{type(network).__name__}; set model.call to the name of its method that predicts, or null"
            )
            raise CheckpointError(msg)
        self.network = network
        self._revision = _digest(network) if isinstance(network, nn.Module) else ""

    @property
    def named(self) -> str:
        """What messages and records call the model."""
        return self.factory

    def find_factory(self) -> Callable[..., Any]:
        """Import the factory.

        Raises:
            CheckpointError: if the package is not installed or does not hold it.
            ConfigError: if the factory is not named as one.
        """
        module, _, name = self.factory.partition(":")
        if not module or not name:
            msg = f"model.factory={self.factory}: expected package.module:function"
            raise ConfigError(msg)
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            msg = (
                f"model.factory={self.factory}: {error}; install its package as its repository says, into this Python, "
                "or check the name"
            )
            raise CheckpointError(msg) from error
        return found  # type: ignore[no-any-return]

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Apply the size rule to the (height, width) of an image."""
        resolution = parse_resolution(self.resolution)
        if resolution == "native" or (resolution == "default" and self.target_size is None):
            return bounded_size(size, size, bound="stretch", multiple=self.multiple)
        height, width = self.target_size or (0, 0) if resolution == "default" else (resolution, resolution)
        return bounded_size(size, (height, width), bound=self.bound, multiple=self.multiple)

    @property
    def provenance(self) -> Provenance:
        """The factory, and a hash of the weights it came with."""
        parameters = sum(parameter.numel() for parameter in self.parameters())
        return Provenance(weights=self.named, revision=self._revision, space_declared=True, parameters=parameters)

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict in the declared space, without a camera.

        Raises:
            PredictionError: if what the model returns is no prediction for these images.
        """
        return self._infer(image, None)

    def predict(self, sample: Sample) -> Prediction:
        """Predict, with the sample's camera where the model takes one.

        Raises:
            PredictionError: if the camera is needed and not known, or the model returns no prediction.
        """
        if self.camera is not None and sample.intrinsics is None:
            msg = f"{self.named}: {sample.sample_id[0]!r} has no intrinsics; set model.camera=null to do without"
            raise PredictionError(msg)
        return self.as_prediction(self._infer(sample.image, sample.intrinsics), sample)

    def _infer(self, image: Tensor, intrinsics: Tensor | None) -> Tensor:
        height, width = image.shape[-2:]
        size = self.input_size((height, width))
        if self.mean is None or self.std is None:
            pixels = image
            if size != (height, width):  # bytes stay bytes
                pixels = self._resize(image.float(), size).round().clamp(0, 255).to(torch.uint8)
        else:
            pixels = normalise(self._resize(to_unit_range(image), size), self.mean, self.std)
        cameras = None
        if self.camera is not None and intrinsics is not None:
            scale = intrinsics.new_tensor([size[1] / width, size[0] / height, 1]).reshape(1, 3, 1)
            cameras = _CAMERAS[self.camera_as](intrinsics * scale, size[1])
        step = len(image) if self.together else 1
        maps = [
            self._call(pixels[i : i + step], None if cameras is None else cameras[i : i + step])
            for i in range(0, len(image), step)
        ]
        return resize(torch.cat(maps), (height, width), mode="bilinear")

    def _resize(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        return resize(image, size, mode=self.interpolation)  # type: ignore[arg-type]  # one of the two, see above

    def _call(self, pixels: Tensor, cameras: Tensor | None) -> Float[Tensor, "b 1 h w"]:
        call = getattr(self.network, self.call) if self.call else self.network
        options = dict(self.options) if cameras is None else {**self.options, str(self.camera): cameras}
        values = _pick(call(pixels, **options), self.output, self.named)
        return _as_map(values, pixels, self.named)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class TorchHub(External):
    """A model of a repository with a hubconf.py, as torch.hub loads it.

    Attributes:
        factory: name of the entry in its hubconf.py.
        repository: folder that holds it, or owner/name[:ref] of one on GitHub.
        remote_code: whether code of a repository that is not on this machine may be fetched and run. A repository that
            torch.hub has fetched before, or a clone, needs no such trust.
    """

    repository: str
    remote_code: bool

    @property
    def named(self) -> str:
        """Repository and entry."""
        return f"{self.repository}:{self.factory}"

    def find_factory(self) -> Callable[..., Any]:
        """Return the entry of the repository on this machine, or fetch it if that is allowed.

        Raises:
            CheckpointError: if the repository is not on this machine and may not be fetched, or lacks the entry.
        """
        folder = Path(self.repository).expanduser()
        if not folder.is_dir():
            name, _, ref = self.repository.partition(":")
            cached = f"{name.replace('/', '_')}_{ref.replace('/', '_') or '*'}"
            folder = next(iter(sorted(Path(torch.hub.get_dir()).glob(cached))), folder)
        if folder.is_dir():
            return self._entry(str(folder), "local")
        if not self.remote_code:
            msg = (
                f"model.repository={self.repository}: not on this machine; clone it and give the folder, or set "
                "model.remote_code=true to fetch and run its code"
            )
            raise CheckpointError(msg)
        return self._entry(self.repository, "github")

    def _entry(self, repository: str, source: str) -> Callable[..., Any]:
        def build(**arguments: Any) -> Any:
            return torch.hub.load(repository, self.factory, source=source, trust_repo=True, **arguments)  # type: ignore[no-untyped-call]

        return build


def _focal_length(intrinsics: Float[Tensor, "b 3 3"], _width: int) -> Float[Tensor, " b"]:
    return intrinsics[:, 0, 0]


def _field_of_view(intrinsics: Float[Tensor, "b 3 3"], width: int) -> Float[Tensor, " b"]:
    return torch.rad2deg(2 * torch.atan(0.5 * width / intrinsics[:, 0, 0]))


_CAMERAS: Mapping[str, Callable[[Tensor, int], Tensor]] = types.MappingProxyType(
    {"matrix": lambda intrinsics, _: intrinsics, "focal_length": _focal_length, "field_of_view": _field_of_view}
)


def _pick(returned: Any, output: str | int | None, named: str) -> Any:
    if output is None:
        return returned
    if isinstance(returned, Mapping) and output in returned:
        return returned[output]
    if isinstance(returned, list | tuple) and isinstance(output, int) and -len(returned) <= output < len(returned):
        return returned[output]
    if isinstance(output, str) and not isinstance(returned, Mapping) and hasattr(returned, output):
        return getattr(returned, output)
    inside = f" with {', '.join(map(str, returned))}" if isinstance(returned, Mapping) else ""
    msg = f"{named}: expected a prediction at {output!r}, got a {type(returned).__name__}{inside}; set model.output"
    raise PredictionError(msg)


def _as_map(values: Any, pixels: Tensor, named: str) -> Float[Tensor, "b 1 h w"]:
    if isinstance(values, np.ndarray):
        values = torch.from_numpy(values)
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        msg = f"{named}: expected a floating-point tensor or array, got {kind}; set model.output to choose what it is"
        raise PredictionError(msg)
    found, (count, height, width) = tuple(values.shape), (len(pixels), *pixels.shape[-2:])
    if count == 1 and found in ((height, width), (height, width, 3), (3, height, width)):
        values = values[None]
    shape = tuple(values.shape)
    if shape == (count, height, width, 3):
        values = values[..., 2]
    elif shape == (count, 3, height, width):
        values = values[:, 2]
    elif shape == (count, 1, height, width):
        values = values[:, 0]
    if tuple(values.shape) != (count, height, width):
        msg = (
            f"{named}: expected a map for each of {count} images of {height} x {width} pixels, got shape {found}; set "
            "model.output to choose it, or bring it to the size of its input in a function of your own"
        )
        raise PredictionError(msg)
    maps: Tensor = values[:, None].float().to(pixels.device)
    return maps


def _digest(network: nn.Module) -> str:
    """Hash the names and values of the weights."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"
