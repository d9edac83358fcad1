"""Depth Anything 3: one network for one view or many, here for one."""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.errors import CheckpointError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.resize import IMAGENET_MEAN, IMAGENET_STD, normalise, resize, to_unit_range
from src.core.sample import Sample
from src.model.base import DepthModel, Provenance, parse_resolution
from src.model.checkpoints.hub import RANDOM, locate, read_index
from src.model.checkpoints.loading import fill_network
from src.model.checkpoints.randomise import randomise

INSTALL: Final = "pip install --no-deps depth-anything-3 && pip install addict einops e3nn opencv-python-headless"
"""Its declared requirements ask for numpy below 2 and for viewers; the networks need these alone."""

_CANONICAL_FOCAL: Final = 300.0


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class DepthAnything3(DepthModel):
    """Depth Anything 3 (Lin et al., arXiv 2511.10647), through the networks of its package.

    Follows the original repository (github.com/ByteDance-Seed/Depth-Anything-3, utils/io/input_processor.py): the
    longer side becomes 504, then both sides the nearest multiple of 14, each time by OpenCV's area (smaller) or cubic
    (larger) resampling of bytes; ImageNet statistics. The authors' API computes in half precision on a GPU; here the
    run's `precision` decides. Where the network sees sky it sets it to the 99th percentile of the rest, as there.

    Attributes:
        weights: hub id, local folder with config.json and model.safetensors, or "random".
        revision: commit, tag or branch of a hub id; null for its main branch. The resolved commit is recorded.
        network_name: the package's name of the architecture, such as da3-small or da3mono-large.
        space: "scale_invariant_depth" of the any-view networks, "affine_depth" of the monocular one, or "metric_depth".
        needs_camera: whether predictions become metres by the focal length: metres = focal x prediction / 300, with the
            mean of both focal lengths in pixels of what the network sees (README of the repository). Data without
            cameras are then refused.
        longer_side: that the authors evaluate at, in pixels.
        resolution: "default" for `longer_side`, "native" for the image's own, or the longer side in pixels.
        seed: of random weights.
    """

    weights: str
    revision: str | None
    network_name: str
    space: dataclasses.InitVar[str]
    needs_camera: bool
    longer_side: int
    resolution: int | str
    seed: int

    network: Any = dataclasses.field(init=False)

    multiple = 14

    def __post_init__(self, space: str) -> None:
        super().__init__()
        self.space = OutputSpace.named(space)
        parse_resolution(self.resolution)
        self._loaded_revision = ""

    def load(self) -> None:
        """Build the network by its package, with the checkpoint's weights or random ones.

        Raises:
            CheckpointError: if the package is missing, or the checkpoint cannot be found or does not fit.
        """
        create, registry = _part("cfg", "create_object"), _part("registry", "MODEL_REGISTRY")
        if self.network_name not in registry:
            msg = f"model.network_name={self.network_name}: expected one of {', '.join(registry)}"
            raise CheckpointError(msg)
        network = create(_part("cfg", "load_config")(registry[self.network_name]))
        if self.weights == RANDOM:
            randomise(network, self.seed)
        else:
            checkpoint = locate(self.weights, self.revision)
            self._check(read_index(checkpoint))
            path = checkpoint.folder / "model.safetensors"
            try:
                state = safetensors.torch.load_file(path)
            except (OSError, safetensors.SafetensorError) as error:
                msg = f"{path}: expected the weights of {self.network_name}: {error}; download it again"
                raise CheckpointError(msg) from error
            own = {name.removeprefix("model."): value.float() for name, value in state.items()}
            fill_network(network, own, source=path)
            self._loaded_revision = checkpoint.revision
        self.network = network

    def _check(self, config: Mapping[str, Any]) -> None:
        found = config.get("model_name", self.network_name)
        if found != self.network_name:
            msg = (
                f"checkpoint {self.weights}: expected weights of {self.network_name}, got those of "
                f"{json.dumps(found)}; choose the model of that name"
            )
            raise CheckpointError(msg)

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Scale the longer side of (height, width), then round both sides to the nearest multiple of 14."""
        height, width = (_nearest(side, self.multiple) for side in self._scaled(size))
        return height, width

    def _scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        resolution = parse_resolution(self.resolution)
        if resolution == "native":
            return size
        target = self.longer_side if resolution == "default" else resolution
        height, width = (max(1, round(side * target / max(size))) for side in size)
        return height, width

    @property
    def provenance(self) -> Provenance:
        """The checkpoint, or random weights."""
        return Provenance(
            weights=self.weights,
            revision=self._loaded_revision,
            random_weights=self.weights == RANDOM,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
        )

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict up to the scale that a camera would give.

        Raises:
            PredictionError: if the model needs a camera: `predict` is told one.
        """
        if self.needs_camera:
            msg = f"{self.network_name}: {sample_id[0]!r} is metric only with its camera, and none is known here"
            raise PredictionError(msg)
        return self._infer(image)

    def predict(self, sample: Sample) -> Prediction:
        """Predict, in metres by the sample's camera where the model needs one.

        Raises:
            PredictionError: if the camera is needed and not known.
        """
        if not self.needs_camera:
            return super().predict(sample)
        if sample.intrinsics is None:
            msg = (
                f"{self.network_name}: expected data with cameras, since it is metric only with a focal length; "
                f"{sample.sample_id[0]!r} has none: choose data that have, or model=depth_anything_3_mono_large"
            )
            raise PredictionError(msg)
        seen, given = self.input_size(sample.size), sample.size
        focal = (
            sample.intrinsics[:, 0, 0] * (seen[1] / given[1]) + sample.intrinsics[:, 1, 1] * (seen[0] / given[0])
        ) / 2
        values = self._infer(sample.image) * (focal.float() / _CANONICAL_FOCAL).reshape(-1, 1, 1, 1)
        return self.as_prediction(values, sample)

    def _infer(self, image: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        size = (image.shape[-2], image.shape[-1])
        maps = []
        for one in image:  # sky is told from the depth of all that is passed together, so images go one by one
            pixels = normalise(to_unit_range(self._resized(one)[None]), IMAGENET_MEAN, IMAGENET_STD)
            maps.append(self.network(pixels[None])["depth"].reshape(1, 1, *pixels.shape[-2:]).float())
        return resize(torch.cat(maps), size, mode="bilinear")

    def _resized(self, image: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 H W"]:
        """Resample bytes in the two steps of the package, on the CPU."""
        size = (image.shape[-2], image.shape[-1])
        pixels = image.permute(1, 2, 0).cpu().numpy()
        for goal in (self._scaled(size), self.input_size(size)):
            pixels = _resample(pixels, goal)
        return torch.from_numpy(pixels).permute(2, 0, 1).to(image.device)


def _nearest(side: int, multiple: int) -> int:
    """Round to the nearest multiple, half up, and to one at least.

    >>> _nearest(378, 14), _nearest(357, 14), _nearest(3, 14)
    (378, 364, 14)
    """
    return max((side + multiple // 2) // multiple, 1) * multiple


def _resample(pixels: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = pixels.shape[:2]
    if (height, width) == size:
        return pixels
    cv2 = _import("cv2")
    grows = size[0] > height or size[1] > width
    resized: UInt8[np.ndarray, "H W 3"] = cv2.resize(
        np.ascontiguousarray(pixels), (size[1], size[0]), interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    )
    return resized


def _part(module: str, name: str) -> Any:
    return getattr(_import(f"depth_anything_3.{module}"), name)


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"depth_anything_3: its package is not complete in this Python ({error}); {INSTALL}"
        raise CheckpointError(msg) from error
