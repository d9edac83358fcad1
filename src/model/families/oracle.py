"""The oracle: ground truth spoilt on purpose, which proves that the right protocol recovers it."""

from typing import Never

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.core.errors import ConfigError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.core.seeding import derive_seed
from src.model.base import DepthModel, Provenance


class Oracle(DepthModel):
    """Exact depth from the sample, taken to a declared output space by an unknown scale and shift.

    With s the scale and t the shift, values p satisfy exactly the relation that the space promises: z = p, z = s p,
    z = s p + t or 1/z = s p + t. What the space does not leave open is not applied. Pixels that are not valid hold
    what a depth of 1 m would.

    Args:
        space: value of an `OutputSpace`.
        scale: s, above 0. Values are float32: keep scale and shift within a few orders of magnitude of the scene,
            or the rounding of p shows in the recovered depth.
        shift: t, in metres for depth and 1/m for disparity.
        noise: standard deviation of ln z, so about the relative error of depth; depends on the seed and the image only.
        seed: of the noise.

    Raises:
        ConfigError: on an unknown space, a scale that is not positive or negative noise.
    """

    uses_ground_truth = True

    def __init__(self, *, space: str, scale: float, shift: float, noise: float, seed: int) -> None:
        super().__init__()
        self.space = OutputSpace.named(space)
        if not scale > 0 or not noise >= 0:
            msg = f"oracle: expected scale > 0 and noise >= 0, got scale={scale}, noise={noise}"
            raise ConfigError(msg)
        self.scale = scale
        self.shift = shift
        self.noise = noise
        self.seed = seed

    def load(self) -> None:
        """Nothing to load."""

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The image's own size."""
        return size

    @property
    def provenance(self) -> Provenance:
        """No weights, but the answer."""
        return Provenance(weights="none", uses_ground_truth=True)

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Never:
        """Refuse: an image alone does not hold the answer.

        Raises:
            PredictionError: always.
        """
        msg = "the oracle predicts from ground truth: expected a call of predict with a whole sample, got only images"
        raise PredictionError(msg)

    def predict(self, sample: Sample) -> Prediction:
        """Spoil the ground truth of a batch.

        Raises:
            PredictionError: if the data set has ordinal annotations instead of depth.
        """
        if sample.point_pairs is not None:
            msg = (
                "the oracle needs ground-truth depth, but this data set has point pairs instead; "
                "use a data set with depth or another model"
            )
            raise PredictionError(msg)
        depth = torch.where(sample.valid, sample.depth.double(), 1.0)
        if self.noise > 0:
            depth = depth * (self.noise * self._noise(sample)).exp()
        return self.as_prediction(self._spoil(depth).float(), sample)

    def _spoil(self, depth: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        match self.space:
            case OutputSpace.METRIC_DEPTH:
                return depth
            case OutputSpace.SCALE_INVARIANT_DEPTH:
                return depth / self.scale
            case OutputSpace.AFFINE_DEPTH:
                return (depth - self.shift) / self.scale
            case OutputSpace.AFFINE_DISPARITY:
                return (1 / depth - self.shift) / self.scale

    def _noise(self, sample: Sample) -> Float[Tensor, "b 1 h w"]:
        """Standard normal noise per pixel, drawn on the CPU so that every device sees the same."""
        draws = [
            torch.randn(
                (1, *sample.size),
                generator=torch.Generator().manual_seed(derive_seed(self.seed, name)),
                dtype=torch.float64,
            )
            for name in sample.sample_id
        ]
        return torch.stack(draws).to(sample.depth.device)
