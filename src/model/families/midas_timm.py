"""MiDaS with encoders from timm: v2, v2.1, and what of v3.1 the transformers library cannot load."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Never

from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.errors import CheckpointError, ConfigError
from src.core.prediction import OutputSpace
from src.core.resize import normalise, resize, to_unit_range
from src.model.checkpoints.loading import fill_network
from src.model.checkpoints.names import MIDAS_V2_LARGE, MIDAS_V2_SMALL, SWIN, Rule, levit, next_vit, rename
from src.model.checkpoints.release import read_release
from src.model.exchange.interface import Interface
from src.model.families.refinenet import MidasNet
from src.model.network import NetworkModel

_UNREAD = (
    r"num_batches_tracked$",
    r"(attn_mask|relative_position_index|attention_bias_idxs)$",  # follow from the sizes
    r"^pretrained\.model\.(norm|head|head_dist|proj_head)\.",  # of the encoder that was trained to classify
)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class MiDaSTimm(NetworkModel):
    """MiDaS v2, v2.1 large and small (Ranftl et al., TPAMI 2022), and some of v3.1 (Birkl et al., arXiv 2307.14460).

    Of v3.1 those with Swin, Next-ViT and LeViT, which the transformers library cannot load or does not have. Follows
    the original repository (github.com/isl-org/MiDaS, midas/model_loader.py and run.py): float bicubic resampling
    without antialiasing to multiples of 32, prediction brought back bicubically.

    Attributes:
        weights: file or address of a file of the release, or "random".
        revision, allow_pickle, target_size, bound, seed: see `NetworkModel`; there is nothing on the hub to revise.
        resolution: see `NetworkModel`; "default" with LeViT, whose attention is learnt for one size.
        mean: of the channels, 0 to 1, that is subtracted from the image.
        std: standard deviation of the channels by which it is divided.
        architecture: keywords of `MidasNet`; the depth of the stages is among them for Next-ViT ("depths") and LeViT
            ("depth"), whose releases count blocks throughout.

    Raises:
        ConfigError: on another resolution than LeViT's own.
    """

    space = OutputSpace.AFFINE_DISPARITY
    last_layers = ("scratch.output_conv.4",)
    multiple = 32

    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture["decoder"] == "levit" and self.resolution != "default":
            msg = f"resolution={self.resolution}: expected default, since LeViT's attention is learnt for one size"
            raise ConfigError(msg)

    def build(self) -> MidasNet:
        """Return the network in the declared architecture."""
        return MidasNet(**self.architecture)

    def release_names(self) -> Sequence[Rule]:
        """Those of the files `.pt`, to the names of `MidasNet`."""
        match self.architecture["decoder"]:
            case "v2":
                return MIDAS_V2_LARGE
            case "v2_small":
                return MIDAS_V2_SMALL
            case "levit":
                return levit(self.architecture["depth"])
            case _:
                depths = self.architecture.get("depths") if "nextvit" in self.architecture["encoder"] else None
                return next_vit(depths) if depths else SWIN

    def load_release(self, path: Path) -> MidasNet:
        """Return the network with the weights of a released file.

        Raises:
            CheckpointError: if the file does not fit.
        """
        network = self.build()
        state = rename(read_release(path, allow_pickle=self.allow_pickle), self.release_names())
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
        return resize(self.answer(normalise(pixels, self.mean, self.std))[0], size, mode="bicubic")

    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b 1 H W"]]:
        """Return the network's disparity for prepared pixels."""
        disparity: Tensor = self.network(pixels.to(next(self.network.parameters()).dtype))
        return (disparity.float(),)

    @property
    def interface(self) -> Interface:
        """How the exported network is fed."""
        return self.describe(interpolation="bicubic", mean=tuple(self.mean), std=tuple(self.std), restoration="bicubic")
