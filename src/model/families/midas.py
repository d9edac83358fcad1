"""MiDaS v3.0 and v3.1: dense prediction transformers (DPT) for relative disparity."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import DPTForDepthEstimation

from src.core.prediction import OutputSpace
from src.core.resize import HALF, normalise, resize, to_unit_range
from src.model.checkpoints.names import BEIT, DECODER, HYBRID, SWIN_V2, VIT, Rule
from src.model.exchange.interface import Interface
from src.model.network import NetworkModel


class MiDaS(NetworkModel):
    """DPT with ViT, hybrid, BEiT or Swin v2 encoder (Ranftl et al., ICCV 2021; Birkl et al., arXiv 2307.14460).

    Follows the original repository (github.com/isl-org/MiDaS, midas/model_loader.py and run.py): float bicubic
    resampling without antialiasing to multiples of 32, values to -1..1, prediction brought back bicubically. Not the
    transformers image processor, which resamples bytes with antialiasing.
    """

    space = OutputSpace.AFFINE_DISPARITY
    network_class = DPTForDepthEstimation
    # no forward pass reads these; files converted at different times hold or lack them
    unused_weights = (
        r"^neck\.fusion_stage\.layers\.0\.residual_layer1\.",
        r"relative_position_index$",
        r"mask_token$",
        r"^dpt\.(layernorm|pooler)\.",
        r"^pretrained\.model\.(norm|fc_norm|head)\.",  # of the encoder that was trained to classify
        r"(attn_mask|relative_coords_table)$",
    )
    last_layers = ("head.head.4",)
    multiple = 32

    def release_names(self) -> Sequence[Rule]:
        """Those of the files `.pt` of v3.0 and v3.1, which depend on the encoder."""
        backbone = self.architecture.get("backbone_config") or {"model_type": "vit"}
        kind = "hybrid" if self.architecture.get("is_hybrid") else backbone["model_type"]
        encoder = {"vit": VIT, "hybrid": HYBRID, "beit": BEIT, "swinv2": SWIN_V2}[kind]
        head = (r"^scratch\.output_conv\.", "head.head.")
        return (*encoder, *DECODER, head)

    @property
    def entry_points(self) -> Sequence[nn.Module]:
        """The network, or of the plain encoders the parts that are called one by one."""
        if self.network.backbone is not None:
            return super().entry_points
        dpt = self.network.dpt
        return (dpt.embeddings, *dpt.encoder.layer, self.network.neck, self.network.head)

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict disparity, larger is nearer, at least 0."""
        size = (image.shape[-2], image.shape[-1])
        pixels = resize(to_unit_range(image), self.input_size(size), mode="bicubic")
        return resize(self.answer(normalise(pixels, HALF, HALF))[0][:, None], size, mode="bicubic")

    @property
    def interface(self) -> Interface:
        """How the exported network is fed."""
        return self.describe(interpolation="bicubic", mean=HALF, std=HALF, restoration="bicubic")

    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b H W"]]:
        """Return the network's disparity for prepared pixels."""
        pixels = pixels.to(self.network.dtype)
        if self.network.backbone is not None:
            disparity: Tensor = self.network(pixels).predicted_depth
        else:
            features = self._plain_features(pixels)
            rows, columns = (side // self.network.config.patch_size for side in pixels.shape[-2:])
            disparity = self.network.head(self.network.neck(features, rows, columns))
        return (disparity.float(),)

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
