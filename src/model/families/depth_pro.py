"""Depth Pro: metric depth through an estimate of the focal length."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import DepthProForDepthEstimation

from src.core.errors import CheckpointError, ConfigError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.resize import HALF, normalise, resize, to_unit_range
from src.core.sample import Sample
from src.model.checkpoints.names import DEPTH_PRO, Rule
from src.model.exchange.interface import Interface
from src.model.network import NetworkModel

_NEAREST_INVERSE, _FARTHEST_INVERSE = 1e4, 1e-4  # in 1/m


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class DepthPro(NetworkModel):
    """Depth Pro (Bochkovskii et al., ICLR 2025).

    Follows the original repository (github.com/apple/ml-depth-pro, src/depth_pro/depth_pro.py): values to -1..1,
    bilinear resampling to a square without antialiasing, inverse depth of a canonical camera brought back bilinearly
    and scaled by the width of the image over the focal length. The released weights are a retrained reference, not
    those behind the paper's numbers.

    Attributes:
        weights, revision, allow_pickle, target_size, bound, architecture, seed: see `NetworkModel`.
        resolution: "default"; the network's patches fix its input size.
        focal_length: "predicted" by the network's own head, then also given as a camera in the prediction, or that of
            the "ground_truth", which the sample must have.

    Raises:
        ConfigError: on another resolution or focal length.
    """

    space = OutputSpace.METRIC_DEPTH
    network_class = DepthProForDepthEstimation
    unused_weights = (
        r"^fusion_stage\.intermediate\.0\.residual_layer1\.",
        r"mask_token$",
    )
    last_layers = ("head.layers.4", "fov_model.head.layers.4")
    multiple = 1
    outputs = ("predicted_depth", "field_of_view")

    focal_length: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution != "default" or self.focal_length not in ("predicted", "ground_truth"):
            msg = (
                "depth_pro: expected resolution=default and a focal_length that is predicted or ground_truth, got "
                f"resolution={self.resolution}, focal_length={self.focal_length}"
            )
            raise ConfigError(msg)

    def check(self, config: Mapping[str, Any]) -> None:
        """Check also that the checkpoint can estimate the focal length.

        Raises:
            CheckpointError: if it belongs to another family or cannot.
        """
        super().check(config)
        if not config.get("use_fov_model"):
            msg = f"checkpoint {self.weights}: expected a head for the field of view (use_fov_model), got none"
            raise CheckpointError(msg)

    def release_names(self) -> Sequence[Rule]:
        """Those of the file depth_pro.pt."""
        return DEPTH_PRO

    def infer(self, image: UInt8[Tensor, "b 3 h w"], sample_id: tuple[str, ...]) -> Float[Tensor, "b 1 h w"]:
        """Predict depth in metres, 0.0001 to 10000, with the predicted focal length."""
        canonical, focal = self._canonical(image)
        return _metres(canonical, focal, (image.shape[-2], image.shape[-1]))

    def predict(self, sample: Sample) -> Prediction:
        """Predict depth and camera, or depth for the sample's camera.

        Raises:
            PredictionError: if the sample's camera is needed and not known.
        """
        canonical, focal = self._canonical(sample.image)
        if self.focal_length == "predicted":
            values = _metres(canonical, focal, sample.size)
            return dataclasses.replace(
                self.as_prediction(values, sample), intrinsics=_centred_camera(focal, sample.size)
            )
        if sample.intrinsics is None:
            msg = (
                f"depth_pro: the focal length of {sample.sample_id[0]!r} is not known; use focal_length=predicted or a "
                "data set with intrinsics"
            )
            raise PredictionError(msg)
        return self.as_prediction(_metres(canonical, sample.intrinsics[:, 0, 0], sample.size), sample)

    def _canonical(self, image: UInt8[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b 1 H W"], Float[Tensor, " b"]]:
        """Inverse depth for a focal length of one image width, and the predicted focal length in pixels."""
        pixels = normalise(to_unit_range(image), HALF, HALF)
        pixels = resize(pixels, self.input_size((image.shape[-2], image.shape[-1])), mode="bilinear")
        inverse, view = self.answer(pixels)
        return inverse[:, None], 0.5 * image.shape[-1] / torch.tan(0.5 * torch.deg2rad(view))

    def answer(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b H2 W2"], Float[Tensor, " b"]]:
        """Return the network's inverse depth and horizontal field of view in degrees for prepared pixels."""
        output = self.network(pixels.to(self.network.dtype))
        return output.predicted_depth.float(), output.field_of_view.float()

    @property
    def interface(self) -> Interface:
        """How the exported network is fed; the focal length of the ground truth is for nobody who has a file."""
        return self.describe(
            mean=HALF, std=HALF, output=self.outputs[0], view=self.outputs[1], meaning="canonical_inverse_depth"
        )


def _metres(
    canonical: Float[Tensor, "b 1 H W"], focal: Float[Tensor, " b"], size: tuple[int, int]
) -> Float[Tensor, "b 1 h w"]:
    inverse = canonical * (size[1] / focal.float())[:, None, None, None]
    return 1 / resize(inverse, size, mode="bilinear").clamp(_FARTHEST_INVERSE, _NEAREST_INVERSE)


def _centred_camera(focal: Float[Tensor, " b"], size: tuple[int, int]) -> Float[Tensor, "b 3 3"]:
    """Intrinsics of square pixels with the principal point in the middle of the image."""
    height, width = size
    camera = focal.new_zeros(len(focal), 3, 3)
    camera[:, 0, 0] = camera[:, 1, 1] = focal
    camera[:, 0, 2], camera[:, 1, 2], camera[:, 2, 2] = width / 2, height / 2, 1
    return camera
