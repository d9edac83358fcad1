"""ZoeDepth: MiDaS with metric bins, fine-tuned for depth in metres indoors, outdoors or both."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import ZoeDepthForDepthEstimation

from src.core.prediction import OutputSpace
from src.core.resize import HALF, normalise, resize, to_unit_range
from src.model.checkpoints.names import ZOEDEPTH, Rule
from src.model.exchange.interface import Interface
from src.model.network import NetworkModel
from src.model.splitting import split_calls

_TOGETHER = 4 * 384 * 512  # pixels: more take more time an image too


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class ZoeDepth(NetworkModel):
    """ZoeDepth (Bhat et al., arXiv 2302.12288) as its authors evaluate it, or as they let others use it.

    Follows the original repository (github.com/isl-org/ZoeDepth). In evaluation mode (evaluate.py) the image is
    stretched to the training size, bilinear with aligned corners on the way in and out. In inference mode
    (zoedepth/models/depth_model.py, infer) it is padded, its aspect is kept, and the prediction is brought back
    bicubically and cut. Both average with the prediction for the mirrored image. The published numbers are those of
    the evaluation mode.

    A model with two heads sends each image, and each mirrored image, to the head that its own router votes for. The
    library and the original sum the votes of a batch, so that neighbours in a batch would change a result.

    Attributes:
        weights, revision, allow_pickle, target_size, bound, resolution, architecture, seed: see `NetworkModel`.
        pad: whether to work as in inference mode, with a reflected border around the image; `bound` should then be
            "minimal", which keeps the aspect.
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

    pad: bool
    mirror: bool
    bin_range: Sequence[float] | None

    def release_names(self) -> Sequence[Rule]:
        """Those of the files ZoeD_M12_{N,K,NK}.pt."""
        return ZOEDEPTH

    def adapt(self, network: Any) -> Any:
        """Set the range of the bins, route per image, and bound the memory of a batch."""
        if self.bin_range is not None:
            for module in network.metric_head.modules():
                if hasattr(module, "max_depth"):
                    module.min_depth, module.max_depth = self.bin_range
        if len(network.config.bin_configurations) > 1:
            network.metric_head = _RoutedPerImage(network.metric_head)
        split_calls(network, _TOGETHER)
        return network

    def border(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns that are reflected on either side of an image of (height, width)."""
        height, width = size
        return (int(math.sqrt(height / 2) * 3), int(math.sqrt(width / 2) * 3)) if self.pad else (0, 0)

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Apply the size rule to the (height, width) of an image and its border."""
        rows, columns = self.border(size)
        return super().input_size((size[0] + 2 * rows, size[1] + 2 * columns))

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict depth in metres."""
        height, width = image.shape[-2:]
        rows, columns = self.border((height, width))
        framed = F.pad(to_unit_range(image), (columns, columns, rows, rows), mode="reflect")
        pixels = resize(framed, self.input_size((height, width)), mode="bilinear", align_corners=True)
        pixels = normalise(pixels, HALF, HALF).to(self.network.dtype)
        depth = self.answer(pixels)[0]
        if self.mirror:
            depth = (depth + self.answer(pixels.flip(-1))[0].flip(-1)) / 2
        depth, size = depth[:, None].float(), (framed.shape[-2], framed.shape[-1])
        if not self.pad:
            return resize(depth, size, mode="bilinear", align_corners=True)
        return resize(depth, size, mode="bicubic")[..., rows : rows + height, columns : columns + width]

    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b H W"]]:
        """Return the network's depth for prepared pixels."""
        return (self.network(pixels.to(self.network.dtype)).predicted_depth,)

    @property
    def interface(self) -> Interface:
        """How the exported network is fed."""
        return self.describe(
            align_corners=True,
            mean=HALF,
            std=HALF,
            border=self.pad,
            mirror=self.mirror,
            restoration="bicubic" if self.pad else "bilinear",
            restoration_align_corners=not self.pad,
        )


class _RoutedPerImage(nn.Module):
    """The library's multiple metric heads, called once for the images of each domain."""

    def __init__(self, heads: Any) -> None:
        super().__init__()
        self.heads = heads
        self.selects = False
        """Whether all heads compute and the router's choice is taken: for exporters, which follow no Python."""

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
        if self.selects:
            all_of = [
                self._of_head(name, outconv_activation, bottleneck, feature_blocks)
                for name in (domain["name"] for domain in self.heads.bin_configurations)
            ]
            chosen = logits.argmax(1).reshape(-1, 1, 1, 1)
            return torch.where(chosen == 0, all_of[0], all_of[1]), logits
        domain = logits.argmax(1)
        members = [(domain == number).nonzero()[:, 0] for number in sorted(set(domain.tolist()))]
        depth = [
            self.heads(outconv_activation[m], bottleneck[m], [block[m] for block in feature_blocks], relative_depth[m])[
                0
            ]
            for m in members
        ]
        return torch.cat(depth)[torch.cat(members).argsort()], logits

    def _of_head(
        self,
        name: str,
        outconv_activation: Float[Tensor, "b c H W"],
        bottleneck: Float[Tensor, "b k h w"],
        feature_blocks: Sequence[Tensor],
    ) -> Float[Tensor, "b 1 H W"]:
        """Return the depth of one head for all images, by the layers of the library, which has no such call."""
        heads = self.heads
        mixed = heads.conv2(bottleneck)
        _, centres = heads.seed_bin_regressors[name](mixed)
        if heads.bin_centers_type != "softplus":
            bounds = next(one for one in heads.bin_configurations if one["name"] == name)
            centres = (centres - bounds["min_depth"]) / (bounds["max_depth"] - bounds["min_depth"])
        embedding = heads.seed_projector(mixed)
        for projector, attractor, feature in zip(
            heads.projectors, heads.attractors[name], feature_blocks, strict=False
        ):
            before, embedding = embedding, projector(feature)
            centres, metres = attractor(embedding, centres, before, interpolate=True)
        size = outconv_activation.shape[-2:]
        metres, embedding = (
            F.interpolate(values, size, mode="bilinear", align_corners=True) for values in (metres, embedding)
        )
        probability = heads.conditional_log_binomial[name](outconv_activation, embedding)
        depth: Tensor = (probability * metres).sum(1, keepdim=True)
        return depth
