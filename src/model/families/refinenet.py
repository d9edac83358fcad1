"""MidasNet: an encoder from timm and the convolutional decoder of MiDaS."""

from collections.abc import Sequence
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

Decoder = Literal["v2", "v2_small", "dpt", "levit"]
"""v2: of MiDaS v2 and v2.1 large; v2_small: of v2.1 small; dpt: of v3.1; levit: of v3.1 with LeViT."""


class MidasNet(nn.Module):
    """Feature maps of a timm encoder, fused from the coarsest to the finest.

    Args:
        encoder: name of a timm model with features at strides 4, 8, 16 and 32, or of a LeViT. The small release needs
            the "tf_" variant of its EfficientNet: without its way to pad, every weight fits and the prediction is
            wrong.
        features: channels of the decoder, at the finest map.
        decoder: see `Decoder`.
        **options: further keywords of the timm model.
    """

    def __init__(self, *, encoder: str, features: int, decoder: Decoder, **options: Any) -> None:
        super().__init__()
        self.encoder: Any
        if decoder == "levit":
            self.encoder = _LevitFeatures(encoder, **options)
            channels = self.encoder.channels
        else:
            self.encoder = timm.create_model(encoder, features_only=True, out_indices=(-4, -3, -2, -1), **options)
            channels = self.encoder.feature_info.channels()
        self.channels_last = str(getattr(self.encoder, "output_fmt", None)).endswith("NHWC")
        self.scratch = _Decoder(channels, features, decoder)

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b 1 H W"]:
        """Return disparity; both sides must be multiples of 32."""
        maps = self.encoder(pixels)
        disparity: Tensor = self.scratch([one.permute(0, 3, 1, 2) for one in maps] if self.channels_last else maps)
        return disparity


class _LevitFeatures(nn.Module):
    """Three feature maps of LeViT, taken where MiDaS hooks it: amid its stages, where timm offers their ends.

    Args:
        name: of the timm model.
        **options: its further keywords.
    """

    TAKEN = (2, 1, 1)  # blocks of every stage before its feature map

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        self.levit = timm.create_model(name, num_classes=0, **options)
        self.channels: Sequence[int] = self.levit.embed_dim

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> list[Float[Tensor, "b _ _ _"]]:
        embedded = self.levit.stem(pixels)
        rows, columns = embedded.shape[-2:]
        tokens, maps, rest = embedded.flatten(2).transpose(1, 2), [], nn.Sequential()
        for number, (stage, taken) in enumerate(zip(self.levit.stages, self.TAKEN, strict=True)):
            if number:
                rows, columns = -(-rows // 2), -(-columns // 2)
            tokens = stage.blocks[:taken](stage.downsample(rest(tokens)))
            maps.append(tokens.transpose(1, 2).unflatten(2, (rows, columns)))
            rest = stage.blocks[taken:]
        return maps


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
        wide, narrow = features, 32
        if decoder == "levit":  # whose finest map has a stride of 16
            wide, narrow = features // 4, 8
            self.stem_transpose = nn.Sequential(
                _Enlarge(features, features // 2), nn.Hardswish(), _Enlarge(features // 2, wide), nn.Hardswish()
            )
        self.output_conv = nn.Sequential(
            nn.Conv2d(wide, wide // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=decoder in ("dpt", "levit")),
            nn.Conv2d(wide // 2, narrow, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(narrow, 1, 1),
            nn.ReLU(),
        )

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b 1 H W"]:
        skips = [self.get_submodule(f"layer{number}_rn")(features) for number, features in enumerate(maps, 1)]
        fused: Tensor | None = None
        for number in range(len(skips), 0, -1):
            finer = skips[number - 2].shape[-2:] if number > 1 else [2 * side for side in skips[0].shape[-2:]]
            fused = self.get_submodule(f"refinenet{number}")(skips[number - 1], fused, tuple(finer))
        if hasattr(self, "stem_transpose"):
            fused = self.stem_transpose(fused)
        disparity: Tensor = self.output_conv(fused)
        return disparity


class _Fusion(nn.Module):
    """A skip connection added to what comes from below, refined and enlarged.

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

    def forward(
        self, skip: Float[Tensor, "b c h w"], below: Float[Tensor, "b c h w"] | None, size: tuple[int, int]
    ) -> Float[Tensor, "b k H W"]:
        # the unit for the skip connection of the coarsest map holds weights that nothing reads
        fused = skip if below is None else below + self.resConfUnit1(skip)
        fused = F.interpolate(self.resConfUnit2(fused), size, mode="bilinear", align_corners=True)
        return self.out_conv(fused) if hasattr(self, "out_conv") else fused


class _Enlarge(nn.Module):
    """Twofold by a transposed convolution, normalised; named as in the released file."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.c = nn.ConvTranspose2d(features, out, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k H W"]:
        enlarged: Tensor = self.bn(self.c(x))
        return enlarged


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
