"""ProtocolMetric: the mean errors of one protocol over all images of all processes."""

import numpy as np
import torch

from src.core.sample import Sample
from src.metrics.per_image import PerImage
from src.protocol.evaluation import EvalProtocol
from src.protocol.scores import Scores
from src.records.table import Scored


class ProtocolMetric(PerImage):
    """Mean errors of one protocol over all images of all processes: alignment-aware, exact under DDP."""

    def __init__(self, protocol: EvalProtocol) -> None:
        super().__init__(columns=protocol.metric_names)

    def update(self, scores: Scores, sample: Sample) -> None:  # type: ignore[override]
        """Add the scores of a batch."""
        index = torch.tensor(sample.index).to(scores.status.device, non_blocking=True)
        values = torch.stack(tuple(scores.errors.values()), 1)
        one = torch.ones_like(values[:, 0])
        weights = torch.stack([scores.weights.get(name, one) for name in scores.errors], 1)
        super().update(values, index, weights)

    def restore(self, scored: Scored) -> None:
        """Add what an earlier, interrupted run has recorded under this protocol."""
        one = np.ones(len(scored))
        values = np.stack([scored.errors[name] for name in self.columns], axis=1)
        weights = np.stack([scored.weights.get(name, one) for name in self.columns], axis=1)
        super().update(
            torch.from_numpy(values).to(self.device),
            torch.from_numpy(scored.index).to(self.device),
            torch.from_numpy(weights).to(self.device),
        )
