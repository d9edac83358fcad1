"""Keeping: what one process of a cell puts on disk of the images it has scored: records, predictions, pictures."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from jaxtyping import Float64
from torch import Tensor

from src.core.aligned import Aligned
from src.core.batch import Unreadable
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.engine.scoring.meter import Meter
from src.engine.scoring.panels import PanelWriter, judge
from src.engine.scoring.pixel_store import write_pixels
from src.engine.scoring.rows import scored_rows, skipped_rows
from src.engine.scoring.saved_predictions import PredictionWriter
from src.engine.scoring.sharing import shared_only
from src.protocol.evaluation import EvalProtocol
from src.records.table import from_records
from src.records.writer import RecordWriter


class Keeping:
    """Writes images in an order that a process may die in: pictures and predictions first, then the record of both.

    Args:
        folder: of the cell.
        protocols: by name.
        records: of this process.
        panels: pictures of the cell.
        predictions: keeps every prediction, if given.
        meter: hears what time goes into.
    """

    def __init__(
        self,
        *,
        folder: Path,
        protocols: Mapping[str, EvalProtocol],
        records: RecordWriter,
        panels: PanelWriter,
        predictions: PredictionWriter | None,
        meter: Meter,
    ) -> None:
        self._folder = folder
        self._protocols = protocols
        self._keeps_pixels = bool(shared_only(protocols))
        self._records = records
        self._panels = panels
        self._predictions = predictions
        self._meter = meter

    def keep(
        self, sample: Sample, prediction: Prediction, columns: Float64[Tensor, "b c"], seconds: Sequence[float]
    ) -> None:
        """Keep scored images.

        Args:
            sample: of b images.
            prediction: for them.
            columns: of their records, on the host.
            seconds: inference time of each image.
        """
        self._meter.enter("records")
        rows = scored_rows(self._protocols, sample, prediction, columns, seconds)
        if self._predictions is not None:  # before the records, which say that the image is done
            self._predictions.write(sample, prediction)
        if self._keeps_pixels:
            write_pixels(self._folder, sample, prediction)
        self._meter.enter("panels")
        judged = judge(self._protocols, from_records(rows))
        self._panels.offer(sample, judged, partial(self._align, prediction, sample), self._raw(prediction))
        self._meter.enter("records")
        self._records.write(rows)
        self._meter.enter("panels")
        self._panels.settle()

    def skip(self, images: Iterable[Unreadable]) -> None:
        """Keep that images could not be read."""
        self._meter.enter("records")
        self._records.write(row for image in images for row in skipped_rows(self._protocols, image))

    def close(self) -> None:
        """Put the records on disk and close their file."""
        self._records.close()

    def _align(self, prediction: Prediction, sample: Sample) -> dict[str, Aligned]:
        own = {name: protocol for name, protocol in self._protocols.items() if protocol.shared_fit is None}
        return {name: protocol.align(prediction, sample) for name, protocol in own.items()}

    def _raw(self, prediction: Prediction) -> Tensor | None:
        """Return what pictures of shared fits are made of, once these are known."""
        return prediction.values if self._keeps_pixels else None
