"""DepthErrors: the errors of one protocol as a torchmetric, for a validation loop."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from src.api.arrays import Array, Range, prediction_of, sample_of
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from src.metrics.per_image import PerImage
from src.protocol.evaluation import EvalProtocol
from src.protocol.named import protocol_named
from src.protocol.scores import Status
from src.records.fingerprint import fingerprint

_COUNTS = ("failed", "skipped")


class DepthErrors(PerImage):
    """Mean errors of depth predictions under a published protocol, over all images of all processes.

    Every image is aligned and scored on its own, as a run scores it, and the mean runs over images. Where images are
    given their number in the data set, each counts once, however a sampler has padded or repeated it, and any number of
    processes gives the same digits. A failed image (NaN, say) has no error to enter a mean: `compute` warns, and
    `counts=True` returns how many there were.

        errors = DepthErrors("zoedepth", "metric_depth", depth_range=(0.001, 10))
        errors.update(prediction, depth)  # (b, h, w) or (b, 1, h, w), any floating-point type
        errors.compute()                  # {"delta1": tensor(0.9), "abs_rel": ...}

    Args:
        protocol: name of a shipped one, or an object.
        space: what is unknown about predictions: metric_depth, scale_invariant_depth, affine_depth, affine_disparity.
        depth_range: (nearest, farthest) in metres: true depth strictly between them counts, and protocols clip to it.
            None for no limit.
        counts: whether `compute` also returns "failed" and "skipped", numbers of images.

    Raises:
        ConfigError: if there is no such protocol or space, or the one cannot score the other.
    """

    def __init__(
        self,
        protocol: EvalProtocol | str = "zoedepth",
        space: OutputSpace | str = "metric_depth",
        *,
        depth_range: Range | None = None,
        counts: bool = False,
    ) -> None:
        chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
        super().__init__(columns=(*chosen.metric_names, *_COUNTS))
        self.protocol = chosen
        self.space = OutputSpace.named(space)
        self.depth_range = None if depth_range is None else tuple(depth_range)
        self.counts = counts
        if not chosen.supports(self.space):
            scored = ", ".join(known for known in OutputSpace if chosen.supports(known))
            msg = f"protocol {chosen.name}: expected a space out of {scored}, got {self.space}"
            raise ConfigError(msg)
        # a MetricCollection joins metrics whose states look alike after the first batch; those of another protocol or
        # range may still part later, so they have a state of another name
        settings = {"protocol": chosen.name, "space": self.space.value, "depth_range": self.depth_range}
        self.add_state(f"of_{fingerprint(settings)}", torch.zeros((), dtype=torch.int64), dist_reduce_fx="max")

    def update(  # type: ignore[override]
        self,
        prediction: Array,
        depth: Array,
        valid: Array | None = None,
        *,
        index: Tensor | Sequence[int] | None = None,
        intrinsics: Array | None = None,
    ) -> None:
        """Score a batch.

        Args:
            prediction: (b, h, w) or (b, 1, h, w), or (h, w) of one image, in the units of `space`; of another size than
                depth it is brought to its size bilinearly.
            depth: z-depth in metres; zero, negative and non-finite values are not measured.
            valid: bool, pixels that may count; None for all that are measured.
            index: number of each image in the data set, from 0, by which images that come twice count once; None where
                every image is a new one.
            intrinsics: as `score` takes them.

        Raises:
            ConfigError, PredictionError, DataError: as `score`.
        """
        numbers = None if index is None else [int(i) for i in torch.as_tensor(index).flatten().tolist()]
        sample = sample_of(depth, valid=valid, intrinsics=intrinsics, depth_range=self.depth_range, index=numbers)
        scores = self.protocol.evaluate(prediction_of(prediction, sample, self.space), sample)
        counts = [(scores.status == status).double() for status in (Status.FAILED, Status.SKIPPED)]
        values = torch.stack([*scores.errors.values(), *counts], 1)
        one = torch.ones_like(scores.scale)
        weights = torch.stack([*(scores.weights.get(name, one) for name in scores.errors), one, one], 1)
        places = torch.full((len(sample),), -1) if numbers is None else torch.tensor(numbers)
        super().update(values, places.to(values.device), weights)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each error over the images that have one, NaN where none has."""
        means = super().compute()
        _, values, _ = self.table()
        failed, skipped = values[:, -2:].sum(0)
        if failed > 0 and self._is_first:
            warnings.warn(
                f"DepthErrors({self.protocol.name}): {int(failed)} of {len(values)} images failed (predictions that "
                "are not finite, or not what their space promises) and are left out; counts=True returns their number",
                stacklevel=2,
            )
        errors = {name: means[name] for name in self.protocol.metric_names}
        return {**errors, "failed": failed, "skipped": skipped} if self.counts else errors

    @property
    def _is_first(self) -> bool:
        return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
