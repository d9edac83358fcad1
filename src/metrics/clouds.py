"""Distances between point clouds, as metrics; the maths is in `src.metrics.functional.clouds`."""

import abc
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional import clouds as F  # noqa: N812
from src.metrics.functional.camera import points


def cloud_distances(pair: Comparison) -> list[tuple[F.Distances, F.Distances]]:
    """Distances between the clouds of valid pixels of each image, both seen through the true camera."""
    camera, valid = pair.annotation("intrinsics"), pair.sample.valid[:, 0]
    clouds = (points(depth, camera).movedim(1, 3) for depth in (pair.aligned.depth, pair.sample.depth))
    images = zip(*clouds, valid, strict=True)
    return [F.nearest_distances(p[v].cpu().numpy(), g[v].cpu().numpy()) for p, g, v in images]


class CloudMetric(DepthMetric):
    """An error between point clouds. A subclass names its formula over the distances between them."""

    requires = ("intrinsics",)
    runs_on_host = True

    @staticmethod
    @abc.abstractmethod
    def formula(to_true: F.Distances, to_predicted: F.Distances) -> float:
        """Return the error of one image."""

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """Apply the formula to each image; NaN for an image without a valid pixel."""
        values = [self.formula(*distances) for distances in pair.once(cloud_distances)]
        return torch.tensor(values, dtype=torch.float64, device=pair.aligned.depth.device)


class Chamfer(CloudMetric):
    """Chamfer distance: mean distance of predicted points to the nearest true one plus the converse."""

    name = "chamfer"
    unit = "m"
    higher_is_better = False
    formula = staticmethod(F.chamfer)


class FScore10(CloudMetric):
    """F-score at 10 cm: 100 * 2 P R / (P + R) of the shares of predicted and true points within 0.1 m of the other."""

    name = "f_score_10cm"
    unit = "percent"
    higher_is_better = True
    formula = staticmethod(partial(F.f_score, threshold=0.1))


class FScore20(CloudMetric):
    """F-score at 20 cm: 100 * 2 P R / (P + R) of the shares of predicted and true points within 0.2 m of the other."""

    name = "f_score_20cm"
    unit = "percent"
    higher_is_better = True
    formula = staticmethod(partial(F.f_score, threshold=0.2))
