"""MiDaS v3.0 and v3.1: dense prediction transformers (DPT) for relative disparity."""

from typing import Any, ClassVar

from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import DPTForDepthEstimation, PreTrainedModel

from src.core.prediction import OutputSpace
from src.core.resize import HALF, normalise, resize, to_unit_range
from src.model.network import TransformersModel


class MiDaS(TransformersModel):
    """DPT with ViT, hybrid, BEiT or Swin v2 encoder (Ranftl et al., ICCV 2021; Birkl et al., arXiv 2307.14460).

    Follows the original repository (github.com/isl-org/MiDaS, midas/model_loader.py and run.py): float bicubic
    resampling without antialiasing to multiples of 32, values to -1..1, prediction brought back bicubically. Not the
    transformers image processor, which resamples bytes with antialiasing.
    """

    space = OutputSpace.AFFINE_DISPARITY
    network_class: ClassVar[type[PreTrainedModel]] = DPTForDepthEstimation
    # no forward pass reads these; files converted at different times hold or lack them
    unused_weights = (
        r"^neck\.fusion_stage\.layers\.0\.residual_layer1\.",
        r"relative_position_index$",
        r"mask_token$",
        r"^dpt\.(layernorm|pooler)\.",
    )
    multiple = 32

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict disparity, larger is nearer, at least 0."""
        size = (image.shape[-2], image.shape[-1])
        pixels = resize(to_unit_range(image), self.input_size(size), mode="bicubic")
        disparity = self._disparity(normalise(pixels, HALF, HALF).to(self.network.dtype))
        return resize(disparity.float(), size, mode="bicubic")

    def _disparity(self, pixels: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b 1 H W"]:
        if self.network.backbone is not None:
            disparity: Tensor = self.network(pixels).predicted_depth
        else:
            features = self._plain_features(pixels)
            rows, columns = (side // self.network.config.patch_size for side in pixels.shape[-2:])
            disparity = self.network.head(self.network.neck(features, rows, columns))
        return disparity[:, None]

    def _plain_features(self, pixels: Float[Tensor, "b 3 H W"]) -> list[Tensor]:
        """Features of the ViT and hybrid encoders at any aspect ratio.

        The library's own forward pass takes the number of tokens for the square of the image's side.
        """
        config, dpt = self.network.config, self.network.dpt
        options: dict[str, Any] = {"interpolate_pos_encoding": True} if config.is_hybrid else {}
        embedded = dpt.embeddings(pixels, **options)
        features = list(embedded.intermediate_activations or ())  # of the hybrid's convolutional stages
        taken = config.backbone_out_indices[len(features) :]
        hidden: Tensor = embedded.last_hidden_states
        for number, layer in enumerate(dpt.encoder.layer):
            hidden = layer(hidden)
            if number in taken:
                features.append(hidden)
        return features
