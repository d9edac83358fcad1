"""MeanError: the mean of one depth error over the images of all processes, as a torchmetric."""

import torch
from torch import Tensor

from src.core.aligned import Aligned
from src.core.sample import Sample
from src.metrics.base import DepthMetric
from src.metrics.comparison import Comparison
from src.metrics.per_image import PerImage


class MeanError(PerImage):
    """Mean of one error over the images seen by all processes, weighted by what its `mean_over` names.

    `update` takes what an alignment produces, `compute` returns the mean of the per-image errors; NaN where no image
    has a value.

    Args:
        metric: the error.
    """

    def __init__(self, metric: DepthMetric) -> None:
        super().__init__(columns=(metric.name,))
        self.metric = metric

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]  # torchmetrics refuses to have it set
        """Direction of the error."""
        return self.metric.higher_is_better

    def update(self, aligned: Aligned, sample: Sample) -> None:  # type: ignore[override]
        """Add a batch."""
        index = torch.tensor(sample.index, device=aligned.depth.device)
        pair = Comparison(aligned, sample)
        super().update(self.metric.per_image(pair)[:, None], index, self.metric.weight(pair)[:, None])

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the mean."""
        return super().compute()[self.metric.name]
