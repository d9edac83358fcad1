"""ZoeDepth: MiDaS with metric bins, fine-tuned for depth in metres indoors, outdoors or both."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import ZoeDepthForDepthEstimation

from src.core.prediction import OutputSpace
from src.core.resize import HALF, Bound, normalise, resize, to_unit_range
from src.model.names import ZOEDEPTH, Rule
from src.model.network import NetworkModel


class ZoeDepth(NetworkModel):
    """ZoeDepth (Bhat et al., arXiv 2302.12288) as its authors evaluate it.

    Follows the evaluation mode of the original repository (github.com/isl-org/ZoeDepth, evaluate.py): the image is
    stretched to the training size, not padded, bilinear with aligned corners on the way in and out, and the prediction
    is averaged with that of the mirrored image. Its inference mode (padding, aspect kept) gives other numbers.

    A model with two heads sends each image, and each mirrored image, to the head that its own router votes for. The
    library and the original sum the votes of a batch, so that neighbours in a batch would change a result.

    Args:
        weights, revision, target_size, bound, resolution, architecture, seed: see `NetworkModel`.
        mirror: whether to average with the mirrored image's prediction.
        bin_range: (nearest, farthest) metres that the bins of the head span instead of what the checkpoint says; null
            to believe it. Matters for "normed" bins only.
    """

    space = OutputSpace.METRIC_DEPTH
    network_class = ZoeDepthForDepthEstimation
    # no forward pass reads these; files converted at different times hold or lack them
    unused_weights = (
        r"^neck\.fusion_stage\.layers\.0\.residual_layer1\.",
        r"relative_position_index$",
        r"mask_token$",
        r"(?i)\.k_(idx|minus_1)$",
        r"^pretrained\.model\.(norm|fc_norm|head)\.",  # of the encoder that was trained to classify
    )
    multiple = 32

    def __init__(
        self,
        *,
        mirror: bool,
        bin_range: Sequence[float] | None,
        weights: str,
        revision: str | None,
        target_size: Sequence[int],
        bound: Bound,
        resolution: int | str,
        architecture: Mapping[str, Any],
        seed: int,
    ) -> None:
        super().__init__(
            weights=weights,
            revision=revision,
            target_size=target_size,
            bound=bound,
            resolution=resolution,
            architecture=architecture,
            seed=seed,
        )
        self.mirror = mirror
        self.bin_range = bin_range

    def release_names(self) -> Sequence[Rule]:
        """Those of the files ZoeD_M12_{N,K,NK}.pt."""
        return ZOEDEPTH

    def adapt(self, network: Any) -> Any:
        """Set the range of the bins and route per image."""
        if self.bin_range is not None:
            for module in network.metric_head.modules():
                if hasattr(module, "max_depth"):
                    module.min_depth, module.max_depth = self.bin_range
        if len(network.config.bin_configurations) > 1:
            network.metric_head = _RoutedPerImage(network.metric_head)
        return network

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict depth in metres."""
        size = (image.shape[-2], image.shape[-1])
        pixels = resize(to_unit_range(image), self.input_size(size), mode="bilinear", align_corners=True)
        pixels = normalise(pixels, HALF, HALF).to(self.network.dtype)
        depth: Tensor = self.network(pixels).predicted_depth
        if self.mirror:
            depth = (depth + self.network(pixels.flip(-1)).predicted_depth.flip(-1)) / 2
        return resize(depth[:, None].float(), size, mode="bilinear", align_corners=True)


class _RoutedPerImage(nn.Module):
    """The library's multiple metric heads, called once for the images of each domain."""

    def __init__(self, heads: Any) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self,
        outconv_activation: Float[Tensor, "b c H W"],
        bottleneck: Float[Tensor, "b k h w"],
        feature_blocks: Sequence[Tensor],
        relative_depth: Float[Tensor, "b H W"],
    ) -> tuple[Float[Tensor, "b 1 H W"], Float[Tensor, "b n"]]:
        """Return depth and the router's logits, like the library's heads."""
        embedding = self.heads.patch_transformer(self.heads.conv2(bottleneck))[:, 0]
        logits: Tensor = self.heads.mlp_classifier(embedding)
        domain = logits.argmax(1)
        members = [(domain == number).nonzero()[:, 0] for number in sorted(set(domain.tolist()))]
        depth = [
            self.heads(outconv_activation[m], bottleneck[m], [block[m] for block in feature_blocks], relative_depth[m])[
                0
            ]
            for m in members
        ]
        return torch.cat(depth)[torch.cat(members).argsort()], logits
