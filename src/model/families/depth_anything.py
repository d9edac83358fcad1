"""Depth Anything v1 and v2: DINOv2 encoder and DPT decoder, relative or metric."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation

from src.core.errors import CheckpointError
from src.core.prediction import OutputSpace
from src.core.resize import IMAGENET_MEAN, IMAGENET_STD, normalise, resize, to_unit_range
from src.model.checkpoints.names import DEPTH_ANYTHING, Rule
from src.model.exchange.interface import Interface
from src.model.families.auto_types import SPACE_OF_DEPTH_ANYTHING
from src.model.network import NetworkModel


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class DepthAnything(NetworkModel):
    """Depth Anything (Yang et al., CVPR 2024) and Depth Anything V2 (Yang et al., NeurIPS 2024).

    Follows the original repository (github.com/DepthAnything/Depth-Anything-V2, depth_anything_v2/dpt.py): float
    bicubic resampling without antialiasing to at least 518 on both sides in multiples of 14, ImageNet statistics,
    DINOv2's own interpolation of the position embedding, prediction brought back bilinearly. Both versions share the
    network; V1 takes features from the last four layers of the encoder, V2 from all over it.

    Attributes:
        weights, revision, allow_pickle, target_size, bound, resolution, architecture, seed: see `NetworkModel`.
        space: "affine_disparity" of the relative checkpoints or "metric_depth" of the metric ones.
        align_corners: whether corners stay corners when the prediction is brought to the size of the image: as in the
            repository of V2, other than in that of V1 (github.com/LiheYoung/Depth-Anything, run.py).
    """

    network_class = DepthAnythingForDepthEstimation
    # no forward pass reads these; files converted at different times hold or lack them
    unused_weights = (r"^neck\.fusion_stage\.layers\.0\.residual_layer1\.", r"mask_token$")
    last_layers = ("head.conv3",)
    is_replayed = True
    multiple = 14

    space: dataclasses.InitVar[str]
    align_corners: bool

    def __post_init__(self, space: str) -> None:
        super().__post_init__()
        self.space = OutputSpace.named(space)

    def check(self, config: Mapping[str, Any]) -> None:
        """Check also that the checkpoint predicts in the declared space.

        Raises:
            CheckpointError: if it belongs to another family or predicts in another space.
        """
        super().check(config)
        found = config.get("depth_estimation_type", "relative")
        if SPACE_OF_DEPTH_ANYTHING.get(found) is not self.space:
            msg = (
                f"checkpoint {self.weights}: it is a {found} model, which does not predict {self.space.value}; "
                "choose a model of that kind, or set model.space"
            )
            raise CheckpointError(msg)

    def release_names(self) -> Sequence[Rule]:
        """Those of the files `.pth` of both versions, relative and metric."""
        return DEPTH_ANYTHING

    def adapt(self, network: Any) -> Any:
        """Give the encoder DINOv2's own interpolation of its position embedding."""
        embeddings = network.backbone.embeddings
        embeddings.interpolate_pos_encoding = types.MethodType(_position_embedding, embeddings)
        return network

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict disparity at least 0 (relative models) or metres (metric models)."""
        size = (image.shape[-2], image.shape[-1])
        pixels = resize(to_unit_range(image), self.input_size(size), mode="bicubic")
        values = self.answer(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD))[0]
        return resize(values[:, None], size, mode="bilinear", align_corners=self.align_corners)

    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b H W"]]:
        """Return the network's prediction for prepared pixels."""
        values: Tensor = self.network(pixels.to(self.network.dtype)).predicted_depth
        return (values.float(),)

    @property
    def interface(self) -> Interface:
        """How the exported network is fed."""
        return self.describe(
            interpolation="bicubic",
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            restoration_align_corners=self.align_corners,
        )


def _position_embedding(
    embeddings: Any,
    tokens: Float[Tensor, "b n c"],  # noqa: ARG001  # of the method that this replaces
    height: int,
    width: int,
) -> Float[Tensor, "1 n c"]:
    """Resample the learnt grid of position embeddings to that of the image, as DINOv2 does.

    The sampling step follows from a scale factor that is a tenth of a patch too large
    (github.com/facebookresearch/dinov2, interpolate_pos_encoding, interpolate_offset=0.1), where the library's follows
    from the sizes; the difference reaches 4 % of the range of a prediction.
    """
    learnt: Tensor = embeddings.position_embeddings
    patch_height, patch_width = embeddings.patch_embeddings.patch_size
    rows, columns = height // patch_height, width // patch_width
    side = round((learnt.shape[1] - 1) ** 0.5)
    if rows == columns == side:
        return learnt
    grid = learnt[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic")
    return torch.cat((learnt[:, :1], grid.flatten(2).transpose(1, 2).to(learnt.dtype)), 1)
