"""Any depth checkpoint of the transformers library, with the image processor that came with it."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForDepthEstimation

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace
from src.model.base import DepthModel, Provenance
from src.model.checkpoints.hub import locate, read_index
from src.model.checkpoints.loading import load_network
from src.model.families.auto_types import TYPES, space_of
from src.model.families.depth_anything import DepthAnything
from src.model.families.midas import MiDaS
from src.model.families.zoedepth import ZoeDepth

_PROCESSOR = "preprocessor_config.json"
_UNREAD = (*DepthAnything.unused_weights, *MiDaS.unused_weights, *ZoeDepth.unused_weights)


class Auto(DepthModel):
    """A model that needs no code of its own, and the library's own way with a model that has some.

    Preprocessing, size and resampling of the prediction are those of the checkpoint's image processor, which is often
    not what the authors of the model evaluated with. Images go through one by one: what a network that nobody looked at
    makes of a batch is unknown.

    Args:
        weights: hub id or local folder.
        revision: commit, tag or branch of a hub id; null for its main branch. The resolved commit is recorded.
        space: value of the `OutputSpace` of the predictions. Where neither type, configuration nor hub id of the
            checkpoint tells it (see `auto_types`), it is believed, and the result says so.
        resolution: "default"; the image processor knows no other.

    Raises:
        ConfigError: on an unknown space or another resolution.
    """

    network: Any

    def __init__(self, *, weights: str, revision: str | None, space: str, resolution: int | str) -> None:
        super().__init__()
        if resolution != "default":
            msg = (
                f"resolution={resolution}: expected default, since the image processor of {weights} sets the size; "
                "change it in a local copy of the checkpoint"
            )
            raise ConfigError(msg)
        self.weights = weights
        self.revision = revision
        self.space = OutputSpace.named(space)
        self._loaded_revision = ""
        self._space_declared = True
        self._processor: Any = None
        self._input_sizes: dict[tuple[int, int], tuple[int, int]] = {}

    def load(self) -> None:
        """Build network and image processor from the checkpoint.

        Raises:
            CheckpointError: if it cannot be found, is none of a depth model, or predicts in another space.
        """
        checkpoint = locate(self.weights, self.revision)
        self._check(read_index(checkpoint))
        if not (checkpoint.folder / _PROCESSOR).is_file():
            msg = f"checkpoint {self.weights}: expected {_PROCESSOR} in {checkpoint.folder}, but there is none"
            raise CheckpointError(msg)
        self.network = load_network(AutoModelForDepthEstimation, checkpoint.folder, unused=_UNREAD)
        self._processor = AutoImageProcessor.from_pretrained(checkpoint.folder, local_files_only=True)
        self._loaded_revision = checkpoint.revision

    def _check(self, config: Mapping[str, Any]) -> None:
        model_type = str(config.get("model_type"))
        listed = TYPES.get(model_type)
        if listed and listed.not_depth:
            msg = (
                f"checkpoint {self.weights}: expected one that predicts depth, got type {model_type}, which predicts "
                f"{listed.not_depth}; choose another checkpoint"
            )
            raise CheckpointError(msg)
        if listed and listed.needs_prompt:
            msg = (
                f"checkpoint {self.weights}: expected one that predicts from the image alone, got type {model_type}, "
                "which needs measured depth as a prompt and without it predicts no metres; choose another checkpoint, "
                "or predict with its own code and score that by model=saved"
            )
            raise CheckpointError(msg)
        known = space_of(config, self.weights)
        if known is not None and known.is_disparity is not self.space.is_disparity:
            msg = f"checkpoint {self.weights}: it predicts {known.value}, got model.space={self.space.value}"
            raise CheckpointError(msg)
        self._space_declared = known is None

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """What the image processor makes of an image of (height, width), known once loaded."""
        if size not in self._input_sizes:
            pixels = self._prepare(torch.zeros(1, 3, *size, dtype=torch.uint8))["pixel_values"]
            self._input_sizes[size] = (pixels.shape[-2], pixels.shape[-1])
        return self._input_sizes[size]

    @property
    def provenance(self) -> Provenance:
        """The checkpoint."""
        return Provenance(
            weights=self.weights,
            revision=self._loaded_revision,
            space_declared=self._space_declared,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
        )

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict in the declared space."""
        return torch.cat([self._predict(one[None]) for one in image])

    def _predict(self, image: UInt8[Tensor, "1 3 h w"]) -> Float[Tensor, "1 1 h w"]:
        size = (image.shape[-2], image.shape[-1])
        inputs = {
            name: value.to(self.network.dtype) if value.is_floating_point() else value
            for name, value in self._prepare(image).items()
        }
        finish = self._processor.post_process_depth_estimation
        sizes = {"target_sizes": [size]}
        if "source_sizes" in inspect.signature(finish).parameters:
            sizes["source_sizes"] = [size]
        values: Tensor = finish(self._forward(inputs), **sizes)[0]["predicted_depth"]
        return values.reshape(1, 1, *values.shape[-2:]).float()

    def _forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Call the network; the library builds some configurations, such as DPT on DINOv3, that it cannot run."""
        try:
            return self.network(**inputs)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            config = self.network.config
            backbone = getattr(getattr(config, "backbone_config", None), "model_type", "")
            on = f" on the backbone {backbone}" if backbone else ""
            msg = (
                f"checkpoint {self.weights}: transformers {transformers.__version__} cannot run "
                f"{type(self.network).__name__}{on} ({type(error).__name__}: {error}); take the authors' own code, by "
                "model=torchhub or model=callable"
            )
            raise PredictionError(msg) from error

    def _prepare(self, image: UInt8[Tensor, "1 3 h w"]) -> dict[str, Tensor]:
        return dict(self._processor(image, return_tensors="pt", input_data_format="channels_first"))
