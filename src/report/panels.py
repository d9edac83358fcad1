"""The arrays a run has kept -> pictures of one image under everything that predicted it."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from src.core.errors import RecordsError
from src.records.schema import PANELS_FOLDER, SampleRecord
from src.report.leaderboard import Row, Table
from src.report.pictures import INVALID, colour_depth, colour_error, data_uri, depth_limits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One prediction of one image under one protocol.

    Attributes:
        row: the row of the leaderboard it belongs to.
        record: its numbers.
        prediction, error: data URIs.
        broken: whether pixels that count have no finite value.
    """

    row: Row
    record: SampleRecord
    prediction: str
    error: str
    broken: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image with its ground truth and all predictions for it, in one colour range.

    Attributes:
        sample_id: name of the image.
        limits: (nearest, farthest) metres of the colour range; None where no pixel is valid.
        image, truth: data URIs.
        predicted: in the order of the tables.
    """

    sample_id: str
    limits: tuple[float, float] | None
    image: str
    truth: str
    predicted: tuple[Predicted, ...]

    @property
    def by_protocol(self) -> dict[str, list[Predicted]]:
        """Predictions by protocol, in the order of the tables."""
        groups: dict[str, list[Predicted]] = {}
        for one in self.predicted:
            groups.setdefault(one.row.protocol, []).append(one)
        return groups


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    image: UInt8[np.ndarray, "h w 3"]
    depth: Float32[np.ndarray, "h w"]
    valid: Bool[np.ndarray, "h w"]
    aligned: Float32[np.ndarray, "h w"]
    sample_id: str
    index: int

    @property
    def identity(self) -> tuple[int, str, str]:
        """Equal for panels that show the same image and ground truth."""
        pixels = b"".join(np.ascontiguousarray(array).tobytes() for array in (self.image, self.depth, self.valid))
        return self.index, self.sample_id, hashlib.sha256(pixels).hexdigest()


def build_pictures(tables: Iterable[Table], *, count: int) -> list[Picture]:
    """Draw the first images of every cell of one data variant, grouped by image.

    Args:
        tables: of the data variant.
        count: how many images of each cell.

    Raises:
        RecordsError: if a file of panels is unreadable or does not belong to the records; the message names it.
    """
    groups: dict[tuple[int, str, str], tuple[_Panel, list[Predicted]]] = {}
    for table in tables:
        for row in table.rows:
            for panel, record in _panels(row, count):
                shared, predicted = groups.setdefault(panel.identity, (panel, []))
                predicted.append(_predicted(row, record, panel, depth_limits(shared.depth, shared.valid)))
    return [_picture(*groups[key]) for key in sorted(groups)]


def _picture(panel: _Panel, predicted: Sequence[Predicted]) -> Picture:
    limits = depth_limits(panel.depth, panel.valid)
    truth = _blank(panel) if limits is None else colour_depth(panel.depth, panel.valid, limits)
    return Picture(
        sample_id=panel.sample_id,
        limits=limits,
        image=data_uri(panel.image, lossless=False),
        truth=data_uri(truth, lossless=True),
        predicted=tuple(predicted),
    )


def _predicted(row: Row, record: SampleRecord, panel: _Panel, limits: tuple[float, float] | None) -> Predicted:
    everywhere = np.ones_like(panel.valid)
    if limits is None:
        prediction = error = _blank(panel)
    else:
        prediction = colour_depth(panel.aligned, everywhere, limits)
        error = colour_error(panel.aligned, panel.depth, panel.valid)
    return Predicted(
        row=row,
        record=record,
        prediction=data_uri(prediction, lossless=True),
        error=data_uri(error, lossless=True),
        broken=bool((panel.valid & ~np.isfinite(panel.aligned)).any()),
    )


def _blank(panel: _Panel) -> UInt8[np.ndarray, "h w 3"]:
    return np.full((*panel.valid.shape, 3), INVALID, dtype=np.uint8)


def _panels(row: Row, count: int) -> Iterator[tuple[_Panel, SampleRecord]]:
    scored = row.cell.scores[row.protocol]
    for file in sorted((row.cell.folder / PANELS_FOLDER).glob("*.npz"))[:count]:
        panel = _read(file, row.protocol)
        place = int(np.searchsorted(scored.index, panel.index))
        if panel.sample_id not in scored.sample_id[place : place + 1]:
            msg = (
                f"{file}: expected an image of the cell's records, got {panel.sample_id!r} at position {panel.index}; "
                "run the cell again with force=true"
            )
            raise RecordsError(msg)
        yield panel, scored.record(place, row.protocol)


def _read(file: Path, protocol: str) -> _Panel:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            image, depth, valid = arrays["image"], arrays["depth"], arrays["valid"]
            aligned = arrays[f"aligned_{protocol}"]
            sample_id, index = str(arrays["sample_id"]), int(file.stem)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{file}: expected panels written by a run, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error
    if not (image.shape == (*valid.shape, 3) and depth.shape == aligned.shape == valid.shape):
        msg = (
            f"{file}: expected an image and maps of one size, got {image.shape}, {depth.shape}, {valid.shape} and "
            f"{aligned.shape}; run the cell again with force=true"
        )
        raise RecordsError(msg)
    return _Panel(image=image, depth=depth, valid=valid, aligned=aligned, sample_id=sample_id, index=index)
