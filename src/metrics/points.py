"""Errors between points in space, as metrics; the maths is in `src.metrics.functional.points`."""

import abc
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from src.core.nearest_grid import nearest_grid
from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.functional import points as F  # noqa: N812
from src.metrics.functional.camera import points

FIT_CELLS = 64
"""Fits of points are made on a grid of so many cells a side."""


def scenes(pair: Comparison) -> list[F.Scene]:
    """The points of each image; predicted ones through the predicted camera, where a model predicts one."""
    sample, camera = pair.sample, pair.annotation("intrinsics")
    predicted_camera = camera if pair.aligned.intrinsics is None else pair.aligned.intrinsics
    predicted, true = points(pair.aligned.depth, predicted_camera), points(sample.depth, camera)
    chosen, found = nearest_grid(sample.valid, FIT_CELLS)
    images = zip(predicted.flatten(2).mT, true.flatten(2).mT, sample.valid.flatten(1), chosen, found, strict=True)
    return [F.Scene(predicted=p, true=g, valid=v, grid=cells[some]) for p, g, v, cells, some in images]


def shifted(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Errors after the best shift."""
    return torch.stack([F.after_shift(scene) for scene in pair.once(scenes)])


def scaled(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Errors after the best scale."""
    return torch.stack([F.after_scale(scene) for scene in pair.once(scenes)])


def scaled_and_shifted(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Errors after the best scale and shift."""
    return torch.stack([F.after_scale_and_shift(scene) for scene in pair.once(scenes)])


def per_segment(pair: Comparison) -> Float[Tensor, "b 2"]:
    """Errors after the best scale and shift of every segment."""
    labels = pair.annotation("segments").flatten(1)
    return torch.stack([F.in_segments(*image) for image in zip(pair.once(scenes), labels, strict=True)])


class PointMetric(DepthMetric):
    """One of the two errors between points that a fit of MoGe's evaluator leaves."""

    unit = "fraction"
    requires: ClassVar[tuple[str, ...]] = ("intrinsics",)
    runs_on_host = True

    @staticmethod
    @abc.abstractmethod
    def errors(pair: Comparison) -> Float[Tensor, "b 2"]:
        """Return the relative error and the share of small ones of each image."""

    def per_image(self, pair: Comparison) -> Float[Tensor, " b"]:
        """NaN for an image without a valid pixel; see `src.metrics.functional.points`."""
        return pair.once(self.errors)[:, int(self.higher_is_better)]


class PointRelShift(PointMetric):
    """Relative point error: mean of |p - g| / |g| after the best shift of the predicted points."""

    name = "point_rel_shift"
    higher_is_better = False
    errors = staticmethod(shifted)


class PointDelta1Shift(PointMetric):
    """Point inliers: share with |p - g| < 0.25 min(|g|, |p|) after the best shift."""

    name = "point_delta1_shift"
    higher_is_better = True
    errors = staticmethod(shifted)


class PointRelScale(PointMetric):
    """Relative point error: mean of |p - g| / |g| after the best scale of the predicted points."""

    name = "point_rel_scale"
    higher_is_better = False
    errors = staticmethod(scaled)


class PointDelta1Scale(PointMetric):
    """Point inliers: share with |p - g| < 0.25 min(|g|, |p|) after the best scale."""

    name = "point_delta1_scale"
    higher_is_better = True
    errors = staticmethod(scaled)


class PointRelAffine(PointMetric):
    """Relative point error: mean of |p - g| / |g| after the best scale and shift of the predicted points."""

    name = "point_rel_affine"
    higher_is_better = False
    errors = staticmethod(scaled_and_shifted)


class PointDelta1Affine(PointMetric):
    """Point inliers: share with |p - g| < 0.25 min(|g|, |p|) after the best scale and shift."""

    name = "point_delta1_affine"
    higher_is_better = True
    errors = staticmethod(scaled_and_shifted)


class LocalPointRel(PointMetric):
    """Local relative point error: mean of |p - g| / d in each segment, of extent d and fitted alone."""

    name = "local_point_rel"
    higher_is_better = False
    may_be_undefined = True
    requires = ("intrinsics", "segments")
    errors = staticmethod(per_segment)


class LocalPointDelta1(PointMetric):
    """Local point inliers: share with |p - g| < 0.25 d in each segment, of extent d and fitted alone."""

    name = "local_point_delta1"
    higher_is_better = True
    may_be_undefined = True
    requires = ("intrinsics", "segments")
    errors = staticmethod(per_segment)
