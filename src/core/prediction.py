"""Prediction: what a model returns, and OutputSpace: what is unknown about its values."""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from src.core.errors import ConfigError


class OutputSpace(StrEnum):
    """What is unknown about predicted values p relative to the true z-depth z (disparity means 1/z, in 1/m).

    A model declares its space and nothing else; alignment is chosen by the protocol. Depth spaces grow with
    distance, disparity spaces shrink with it.
    """

    METRIC_DEPTH = "metric_depth"
    """z = p, metres."""
    SCALE_INVARIANT_DEPTH = "scale_invariant_depth"
    """z = s p with an unknown s > 0."""
    AFFINE_DEPTH = "affine_depth"
    """z = s p + t with unknown s, t."""
    AFFINE_DISPARITY = "affine_disparity"
    """1/z = s p + t with unknown s, t."""

    @classmethod
    def named(cls, name: str) -> "OutputSpace":
        """Return the space that a configuration names.

        Raises:
            ConfigError: if there is none of that name.

        >>> OutputSpace.named("affine_depth")
        <OutputSpace.AFFINE_DEPTH: 'affine_depth'>
        """
        try:
            return cls(name)
        except ValueError:
            msg = f"expected an output space out of {', '.join(cls)}, got {name!r}"
            raise ConfigError(msg) from None

    @property
    def is_disparity(self) -> bool:
        """Whether values are inverse depth, larger when nearer."""
        return self is OutputSpace.AFFINE_DISPARITY

    def can_be_scored_as(self, weaker: "OutputSpace") -> bool:
        """Whether a prediction of this space determines one of `weaker`, which knows less.

        Metric depth can be scored as everything; scale-invariant depth as itself and both affine spaces (in disparity
        through 1/p); the two affine spaces never as each other, since an unknown shift does not survive inversion.

        >>> OutputSpace.METRIC_DEPTH.can_be_scored_as(OutputSpace.AFFINE_DISPARITY)
        True
        >>> OutputSpace.AFFINE_DEPTH.can_be_scored_as(OutputSpace.AFFINE_DISPARITY)
        False
        """
        stronger = {
            OutputSpace.METRIC_DEPTH: set(OutputSpace),
            OutputSpace.SCALE_INVARIANT_DEPTH: set(OutputSpace) - {OutputSpace.METRIC_DEPTH},
        }
        return weaker in stronger.get(self, {self})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's answer for a batch, resized to the evaluation grid and not yet aligned.

    Attributes:
        values: (b, 1, h, w) float32 on the evaluation grid, in the units of `space`. May hold NaN or infinity: that is
            the model's fault and is counted as `failed`, never repaired.
        space: what is unknown about the values.
        input_size: (height, width) in pixels of what the network really saw.
        intrinsics: (b, 3, 3) predicted camera in pixels of the evaluation grid, or None.
        uncertainty: (b, 1, h, w) float32, larger where less sure, unit of the model; or None.
        refused: why nothing was predicted, where all values are NaN for that; else "".
    """

    values: Float[Tensor, "b 1 h w"]
    space: OutputSpace
    input_size: tuple[int, int]
    intrinsics: Float[Tensor, "b 3 3"] | None = None
    uncertainty: Float[Tensor, "b 1 h w"] | None = None
    refused: str = ""


def join(parts: Sequence[Prediction]) -> Prediction:
    """Join predictions for parts of a batch, in the order given."""

    def joined(name: str) -> Tensor | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else torch.cat(values)

    values = torch.cat([part.values for part in parts])
    return dataclasses.replace(
        parts[0], values=values, intrinsics=joined("intrinsics"), uncertainty=joined("uncertainty")
    )
