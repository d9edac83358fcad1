"""EvalProtocol: a published way to score, as a versioned object."""

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from src.alignment.base import Alignment
from src.core import masked, packing
from src.core.aligned import Aligned, Fit, FittedIn
from src.core.errors import ConfigError, DataError, PredictionError
from src.core.prediction import OutputSpace, Prediction
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.catalogue import metric_named
from src.metrics.comparison import Comparison
from src.metrics.depth import PixelMetric, pixel_errors
from src.metrics.functional.depth_bins import EDGES, depth_bins
from src.protocol.fit_over.points import KnownPoints
from src.protocol.fit_over.shared import Sequences, SharedFit
from src.protocol.scores import Scores, Status, join

LEAST_DEPTH: Final = 1e-6
"""Metres. Marigold's floor below every clip; keeps logarithms finite where a data variant starts at 0 m."""


class EvalProtocol:
    """Alignment, clip and metrics under one name; any change of meaning bumps the version.

    Order, fixed: the prediction is on the ground truth's grid -> align on `valid` -> clip -> score on `valid`.

    Args:
        name: the yaml's name.
        version: starts at 1.
        alignment: how the prediction is brought to metres.
        clip: what aligned depth is clamped to before scoring: the `depth_range` of the data variant (but never below
            `LEAST_DEPTH`), "none", or fixed (nearest, farthest) in metres.
        metrics: names of built-in metrics, or dotted paths of `DepthMetric` classes from elsewhere.
        score_on: the pixels that are fitted and scored: all valid ones, or only those on annotated edges.
        fit_over: what one fit holds for: several images, or the few known pixels of an image that it is made on; None
            for the pixels of the image that are scored.
        source: where the protocol is published.
        traps: what to know before comparing its numbers with others, one sentence each.
    """

    def __init__(
        self,
        *,
        name: str,
        version: int,
        alignment: Alignment,
        clip: str | Sequence[float],
        metrics: Sequence[str],
        score_on: str = "valid",
        fit_over: SharedFit | KnownPoints | None = None,
        source: str = "",
        traps: Sequence[str] = (),
    ) -> None:
        if not metrics:
            msg = f"protocol {name}: expected at least one metric, got none"
            raise ConfigError(msg)
        self.name = name
        self.version = version
        self.alignment = alignment
        self.clip = _parse_clip(name, clip)
        if score_on not in ("valid", "edges"):
            msg = f"protocol {name}: score_on: expected valid or edges, got {score_on!r}"
            raise ConfigError(msg)
        self.score_on = score_on
        self.fit_over = fit_over
        self.source = source
        self.traps = tuple(traps)
        self.metrics: tuple[DepthMetric, ...] = tuple(metric_named(metric)() for metric in metrics)
        self._refuse_scope()

    def _refuse_scope(self) -> None:
        """Refuse what a fit of another scope than the image cannot do.

        Raises:
            ConfigError: says what and why.
        """
        if self.fit_over is None:
            return
        on_grid = [metric.name for metric in self.metrics if not isinstance(metric, PixelMetric)]
        reasons = {
            "an alignment that fits something": self.alignment.unknowns == 0,
            f"metrics that look at each pixel alone, and {', '.join(on_grid)} do not": bool(on_grid),
            "score_on: valid": self.score_on != "valid",
            "an alignment that asks not where pixels are": self.shared_fit is not None and self.alignment.needs_grid,
        }
        for expected, is_broken in reasons.items():
            if is_broken:
                msg = f"protocol {self.name}: fit_over={self.fit_over.label}: expected {expected}; leave fit_over out"
                raise ConfigError(msg)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def shared_fit(self) -> SharedFit | None:
        """Which images share a fit; None where each image has its own, so that it can be scored as it comes."""
        return self.fit_over if isinstance(self.fit_over, SharedFit) else None

    @property
    def fitted_in(self) -> FittedIn:
        """The quantity that scale and shift are fitted in."""
        return self.alignment.fitted_in

    @property
    def depth_edges(self) -> tuple[float, ...]:
        """Metres: edges of the bins of true depth that errors are also given by; () where no true depth is read."""
        return EDGES if self.alignment.yields_depth and self._reads_depth else ()

    def clip_bounds(self, depth_range: tuple[float, float]) -> tuple[float, float] | None:
        """Return (nearest, farthest) in metres that depth is clamped to on data of that range, None for no clip."""
        if self.clip == "depth_range":
            return max(depth_range[0], LEAST_DEPTH), depth_range[1]
        return None if self.clip == "none" else self.clip

    def supports(self, space: OutputSpace) -> bool:
        """Whether predictions of `space` may be scored under this protocol."""
        return self.alignment.supports(space)

    def applies_to(self, sample: Sample) -> bool:
        """Whether the data set of a sample has what is read of it: depth or point pairs, edges, planes, sequences."""
        if isinstance(self.fit_over, Sequences) and not sample.cluster[0]:
            return False
        present = sample.tensors().keys()
        is_ordinal = "point_pairs" in present
        return all(
            present >= set(metric.requires) and ("point_pairs" in metric.requires) == is_ordinal
            for metric in self.metrics
        )

    def align(self, prediction: Prediction, sample: Sample) -> Aligned:
        """Return what is scored, on the whole grid: the aligned and clipped prediction.

        Raises:
            ConfigError, PredictionError, DataError: as `evaluate`.
        """
        self._refuse_shared()
        sample = self._checked(prediction, sample)
        return self.applied(prediction, sample, self.alignment.fit(prediction, self._parted(sample)[0]))

    def evaluate(self, prediction: Prediction, sample: Sample) -> Scores:
        """Score every image of a batch on its own; pure.

        On an accelerator the batch is computed as a whole and nothing waits for the host.

        Raises:
            ConfigError: if the prediction's space is not supported, the data lack what the protocol needs, or images
                share a fit (see `observe`).
            PredictionError: if the prediction is not on the grid of the sample.
            DataError: if depth is not floating point, or on the CPU, where looking costs no waiting, not positive on a
                valid pixel.
        """
        self._refuse_shared()
        sample = self._checked(prediction, sample)
        if sample.depth.device.type != "cpu":
            return self._judge(self._measure_whole(prediction, sample))
        images = packing.split(prediction, sample)
        return self._judge(join(packing.side_by_side(self._measure_packed, images)))

    def score(self, prediction: Prediction, sample: Sample, fit: Fit) -> Scores:
        """Score one image with a fit that was made elsewhere; pure.

        Args:
            prediction: of the image, its valid pixels alone will do.
            sample: the image.
            fit: (1,).
        """
        status = torch.where(self.alignment.contradicted(fit), int(Status.FAILED), int(Status.OK))
        return self._judge(self._compared(prediction, sample, prediction, sample, fit=fit, status=status))

    def observe(self, prediction: Prediction, sample: Sample) -> Scores:
        """Return what is known of images whose shared fit is not: status and number of valid pixels, no errors.

        Raises:
            ConfigError, PredictionError, DataError: as `evaluate`.
        """
        sample = self._checked(prediction, sample)
        usable = self.alignment.usable(prediction, sample)
        pixels = masked.count(sample.valid)
        status = torch.where(usable, int(Status.OK), int(Status.FAILED))
        nothing = torch.full_like(pixels, torch.nan, dtype=torch.float64)
        bins = (len(sample), max(len(self.depth_edges) - 1, 0))
        return Scores(
            errors=dict.fromkeys(self.metric_names, nothing),
            weights={metric.name: torch.zeros_like(nothing) for metric in self.metrics if metric.mean_over != "images"},
            status=torch.where(pixels == 0, int(Status.SKIPPED), status),
            valid_pixels=pixels,
            scale=nothing,
            shift=nothing,
            depth_pixels=pixels.new_zeros(bins),
            depth_abs_rel=nothing.new_full(bins, torch.nan),
        )

    def _refuse_shared(self) -> None:
        if self.shared_fit is not None:
            msg = (
                f"protocol {self.name}: expected one that fits each image on its own, got fit_over="
                f"{self.shared_fit.label}, whose fits need a run: python -m src.eval protocol=[{self.name}]"
            )
            raise ConfigError(msg)

    def _parted(self, sample: Sample) -> tuple[Sample, Sample]:
        """Return the sample with the pixels that are fitted and with those that are scored."""
        if not isinstance(self.fit_over, KnownPoints):
            return sample, sample
        known = self.fit_over.known(sample)
        fitted, scored = (dataclasses.replace(sample, valid=valid) for valid in (known, sample.valid & ~known))
        return fitted, scored

    def _checked(self, prediction: Prediction, sample: Sample) -> Sample:
        """Return the sample with `valid` narrowed to the pixels this protocol scores."""
        if not self.supports(prediction.space):
            scored = ", ".join(space for space in OutputSpace if self.supports(space))
            msg = f"protocol {self.name}: expected predictions that are {scored}, got {prediction.space}"
            raise ConfigError(msg)
        if prediction.values.shape != sample.depth.shape:
            msg = (
                f"expected a prediction on the grid of the ground truth, {tuple(sample.depth.shape)}, got "
                f"{tuple(prediction.values.shape)}; ground truth is never resampled, so resize the prediction"
            )
            raise PredictionError(msg)
        if not sample.depth.is_floating_point():
            msg = (
                f"expected depth as floating-point metres, got {sample.depth.dtype} for {sample.sample_id[0]!r}; "
                "convert stored integers to metres with the scale of their data set"
            )
            raise DataError(msg)
        if self.score_on == "valid":
            return sample
        if sample.edges is None:
            msg = (
                f"protocol {self.name}: expected data with annotated edges, got none for {sample.sample_id[0]!r}; "
                "choose a data set that has them, or the protocol of the same name without edges"
            )
            raise ConfigError(msg)
        return dataclasses.replace(sample, valid=sample.valid & sample.edges)

    def applied(self, prediction: Prediction, sample: Sample, fit: Fit) -> Aligned:
        """Return the aligned and clipped prediction with a fit that was made elsewhere."""
        depth = self.alignment.apply(prediction, sample, fit)
        bounds = self.clip_bounds(sample.depth_range)
        if bounds is not None:
            depth.clamp_(*bounds)
        return Aligned(
            depth=depth,
            scale=fit.scale,
            shift=fit.shift,
            fitted_in=self.fitted_in,
            intrinsics=prediction.intrinsics,
        )

    def _measure(
        self,
        prediction: Prediction,
        sample: Sample,
        values: Prediction,
        pixels: Sample,
        *,
        fit_on: tuple[Prediction, Sample],
    ) -> Scores:
        """Fit each image on its own, and take every error, good or bad."""
        fit = self.alignment.fit(*fit_on)
        good = masked.all_finite(values.values, pixels.valid) & ~self.alignment.contradicted(fit)
        status = torch.where(good, int(Status.OK), int(Status.FAILED))
        status = torch.where(self.alignment.determined(fit_on[1]), status, int(Status.SKIPPED))
        return self._compared(prediction, sample, values, pixels, fit=fit, status=status)

    def _compared(
        self,
        prediction: Prediction,
        sample: Sample,
        values: Prediction,
        pixels: Sample,
        *,
        fit: Fit,
        status: Int[Tensor, " b"],
    ) -> Scores:
        """Take errors of images of which arithmetic on single pixels needs `values` and `pixels`, as fitted."""
        on_pixels = Comparison(self.applied(values, pixels, fit), pixels)
        on_grid = on_pixels
        if pixels is not sample and not all(isinstance(metric, PixelMetric) for metric in self.metrics):
            on_grid = Comparison(self.applied(prediction, sample, fit), sample)
        bins = depth_bins(on_pixels.once(pixel_errors)) if self.depth_edges else fit.scale.new_zeros(2, 0, len(sample))
        return Scores(
            errors={
                metric.name: metric.per_image(on_pixels if isinstance(metric, PixelMetric) else on_grid)
                for metric in self.metrics
            },
            weights={metric.name: metric.weight(on_grid) for metric in self.metrics if metric.mean_over != "images"},
            status=status,
            valid_pixels=masked.count(pixels.valid),
            scale=fit.scale,
            shift=fit.shift,
            depth_pixels=bins[0].T.long(),
            depth_abs_rel=(bins[1] / bins[0]).T,
        )

    def _measure_whole(self, prediction: Prediction, sample: Sample) -> Scores:
        known, rest = self._parted(sample)
        return self._measure(prediction, rest, prediction, rest, fit_on=(prediction, known))

    def _measure_packed(self, prediction: Prediction, sample: Sample) -> Scores:
        known, rest = self._parted(sample)
        values, pixels = packing.valid_pixels(prediction, rest)
        if self._reads_depth and pixels is not rest and not pixels.depth.amin() > 0:
            msg = (
                f"expected positive ground truth on every valid pixel, got {pixels.depth.amin():g} m for "
                f"{sample.sample_id[0]!r}; mark what was not measured as not valid"
            )
            raise DataError(msg)
        fit_on = prediction, known
        if not self.alignment.needs_grid:
            fit_on = (values, pixels) if known is rest else packing.valid_pixels(prediction, known)
        return self._measure(prediction, rest, values, pixels, fit_on=fit_on)

    @property
    def _reads_depth(self) -> bool:
        """Whether true depth is fitted or scored; where only point pairs or mattes are, data sets have none."""
        is_fitted = self.fitted_in is not FittedIn.NOTHING
        return is_fitted or any(isinstance(metric, PixelMetric) for metric in self.metrics)

    def _judge(self, scores: Scores) -> Scores:
        """Settle what became of each image, and leave errors of good ones only."""
        failed, skipped = scores.status == Status.FAILED, scores.status == Status.SKIPPED
        for metric in self.metrics:
            if not metric.may_be_undefined:
                failed = failed | ~scores.errors[metric.name].isfinite()
        status = torch.where(failed, int(Status.FAILED), int(Status.OK))
        status = torch.where(skipped | (scores.valid_pixels == 0), int(Status.SKIPPED), status)
        errors = {name: torch.where(status == Status.OK, error, torch.nan) for name, error in scores.errors.items()}
        by_depth = torch.where((status == Status.OK)[:, None], scores.depth_abs_rel, torch.nan)
        return dataclasses.replace(scores, errors=errors, status=status, depth_abs_rel=by_depth)


def _parse_clip(name: str, clip: str | Sequence[float]) -> Literal["depth_range", "none"] | tuple[float, float]:
    if clip == "depth_range":
        return "depth_range"
    if clip == "none":
        return "none"
    if not isinstance(clip, str) and len(clip) == 2 and 0 <= clip[0] < clip[1]:
        return float(clip[0]), float(clip[1])
    msg = f"protocol {name}: clip: expected depth_range, none or [nearest, farthest] in metres, got {clip!r}"
    raise ConfigError(msg)
