"""MiDaS with encoders from timm: v2, v2.1, and what of v3.1 the transformers library cannot load."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Never

import timm
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from src.core.errors import CheckpointError
from src.core.prediction import OutputSpace
from src.core.resize import normalise, resize, to_unit_range
from src.model.loading import fill_network
from src.model.names import MIDAS_V2_LARGE, MIDAS_V2_SMALL, SWIN, Rule, rename
from src.model.network import NetworkModel
from src.model.release import read_release

Decoder = Literal["v2", "v2_small", "dpt"]
"""v2: of MiDaS v2 and v2.1 large; v2_small: of v2.1 small; dpt: of v3.1."""

_UNREAD = (
    r"num_batches_tracked$",
    r"(attn_mask|relative_position_index)$",  # follow from the sizes
    r"^pretrained\.model\.(norm|head)\.",  # of the encoder that was trained to classify
)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class MiDaSTimm(NetworkModel):
    """MiDaS v2, v2.1 large and small, and v3.1 with Swin (Ranftl et al., TPAMI 2022; Birkl et al., arXiv 2307.14460).

    Follows the original repository (github.com/isl-org/MiDaS, midas/model_loader.py and run.py): float bicubic
    resampling without antialiasing to multiples of 32, prediction brought back bicubically.

    Attributes:
        weights: file or address of a file of the release, or "random".
        revision, target_size, bound, resolution, seed: see `NetworkModel`; there is nothing on the hub to revise.
        mean: of the channels, 0 to 1, that is subtracted from the image.
        std: standard deviation of the channels by which it is divided.
        architecture: keywords of `MidasNet`.
    """

    space = OutputSpace.AFFINE_DISPARITY
    multiple = 32

    mean: Sequence[float]
    std: Sequence[float]

    def build(self) -> "MidasNet":
        """Return the network in the declared architecture."""
        return MidasNet(**self.architecture)

    def release_names(self) -> Sequence[Rule]:
        """Those of the files `.pt`, to the names of `MidasNet`."""
        return {"v2": MIDAS_V2_LARGE, "v2_small": MIDAS_V2_SMALL, "dpt": SWIN}[self.architecture["decoder"]]

    def load_release(self, path: Path) -> "MidasNet":
        """Return the network with the weights of a released file.

        Raises:
            CheckpointError: if the file does not fit.
        """
        network = self.build()
        state = rename(read_release(path), self.release_names())
        fill_network(network, state, source=path, unused=_UNREAD)
        return network

    def load_hub(self) -> Never:
        """Refuse: there are released files only.

        Raises:
            CheckpointError: always.
        """
        msg = (
            f"model.weights={self.weights}: this model is not on the hub; expected a released file, the address of one "
            "(https://...), or `random`"
        )
        raise CheckpointError(msg)

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict disparity, larger is nearer, at least 0."""
        size = (image.shape[-2], image.shape[-1])
        pixels = resize(to_unit_range(image), self.input_size(size), mode="bicubic")
        pixels = normalise(pixels, self.mean, self.std)
        disparity: Tensor = self.network(pixels.to(next(self.network.parameters()).dtype))
        return resize(disparity.float(), size, mode="bicubic")


class MidasNet(nn.Module):
    """Four feature maps of a timm encoder, fused from the coarsest to the finest.

    Args:
        encoder: name of a timm model with features at strides 4, 8, 16 and 32. The small release needs the "tf_"
            variant of its EfficientNet: without its way to pad, every weight fits and the prediction is wrong.
        features: channels of the decoder, at the finest map.
        decoder: see `Decoder`.
        **options: further keywords of the timm model.
    """

    def __init__(self, *, encoder: str, features: int, decoder: Decoder, **options: Any) -> None:
        super().__init__()
        self.encoder = timm.create_model(encoder, features_only=True, out_indices=(-4, -3, -2, -1), **options)
        self.channels_last = str(getattr(self.encoder, "output_fmt", None)).endswith("NHWC")
        self.scratch = _Decoder(self.encoder.feature_info.channels(), features, decoder)

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b 1 H W"]:
        """Return disparity; both sides must be multiples of 32."""
        maps = self.encoder(pixels)
        disparity: Tensor = self.scratch([one.permute(0, 3, 1, 2) for one in maps] if self.channels_last else maps)
        return disparity


class _Decoder(nn.Module):
    """Named as in the released files, where it is called scratch."""

    def __init__(self, channels: Sequence[int], features: int, decoder: Decoder) -> None:
        super().__init__()
        for number, width in enumerate(channels):
            fused = features * 2**number if decoder == "v2_small" else features
            self.add_module(f"layer{number + 1}_rn", nn.Conv2d(width, fused, 3, padding=1, bias=False))
            halves = decoder == "v2_small" and number > 0
            out = None if decoder == "v2" else fused // 2 if halves else fused
            self.add_module(f"refinenet{number + 1}", _Fusion(fused, out))
        self.output_conv = nn.Sequential(
            nn.Conv2d(features, features // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=decoder == "dpt"),
            nn.Conv2d(features // 2, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b 1 H W"]:
        fused: Tensor | None = None
        for number in range(len(maps), 0, -1):
            skip = self.get_submodule(f"layer{number}_rn")(maps[number - 1])
            fused = self.get_submodule(f"refinenet{number}")(skip, fused)
        disparity: Tensor = self.output_conv(fused)
        return disparity


class _Fusion(nn.Module):
    """A skip connection added to what comes from below, refined and enlarged twofold.

    Args:
        features: channels coming in.
        out: channels of the convolution at the end; None for none, as in the large model of v2.
    """

    def __init__(self, features: int, out: int | None) -> None:
        super().__init__()
        self.resConfUnit1 = _ResidualUnit(features, rectified=out is None)
        self.resConfUnit2 = _ResidualUnit(features, rectified=out is None)
        if out is not None:
            self.out_conv = nn.Conv2d(features, out, 1)

    def forward(self, skip: Float[Tensor, "b c h w"], below: Float[Tensor, "b c h w"] | None) -> Tensor:
        # the unit for the skip connection of the coarsest map holds weights that nothing reads
        fused = skip if below is None else below + self.resConfUnit1(skip)
        fused = F.interpolate(self.resConfUnit2(fused), scale_factor=2, mode="bilinear", align_corners=True)
        return self.out_conv(fused) if hasattr(self, "out_conv") else fused


class _ResidualUnit(nn.Module):
    """Two convolutions beside a shortcut.

    Args:
        features: channels.
        rectified: whether the shortcut carries relu(x) instead of x. The large model of v2 was trained with an
            activation in place, which also overwrites what the shortcut adds; with x its disparity is off by two
            fifths.
    """

    def __init__(self, features: int, *, rectified: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.rectified = rectified

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        activated = torch.relu(x)
        refined: Tensor = self.conv2(torch.relu(self.conv1(activated)))
        return refined + (activated if self.rectified else x)
