"""Records in columns: what a cell's per-image numbers are in memory, and how they lie in `records.parquet`."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int32, Int64, Shaped

from src.core.errors import RecordsError
from src.records.durable import replaced
from src.records.schema import SampleRecord

LAYOUT: Final = 2
"""Of the file; any change that an older reader would misread bumps it."""

_METADATA: Final = b"leadline"
_ROWS_AT_ONCE: Final = 20_000  # rows of the log that are Python objects at a time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """The images of a cell under one protocol, in columns; n images in ascending order of `index`.

    Attributes:
        protocol_version: of the protocol.
        index: position in the split.
        sample_id: name of the image, unique in the split.
        cluster: what an image shares with those that are alike by construction; "" for none.
        slice: what reports break down by; "" for none.
        status: ok, skipped or failed, as in `SampleRecord`.
        reason: why an image was skipped or failed, where there is more to say than its status; else "".
        valid_pixels: number of pixels scored.
        scale, shift: fitted; NaN where undefined.
        errors: metric -> value; NaN where undefined or the status is not ok.
        weights: metric -> how much each value counts in the mean; only metrics whose `mean_over` is not images.
        input_size: (height, width) in pixels of what the network saw.
        seconds: inference time of the batch divided by its images.
        depth_pixels: valid pixels in each of k bins of depth; k = 0 where none were kept.
        depth_abs_rel: mean abs_rel of those pixels; NaN where a bin is empty.
    """

    protocol_version: int
    index: Int64[np.ndarray, " n"]
    sample_id: Shaped[np.ndarray, " n"]
    cluster: Shaped[np.ndarray, " n"]
    slice: Shaped[np.ndarray, " n"]
    status: Shaped[np.ndarray, " n"]
    reason: Shaped[np.ndarray, " n"]
    valid_pixels: Int64[np.ndarray, " n"]
    scale: Float64[np.ndarray, " n"]
    shift: Float64[np.ndarray, " n"]
    errors: Mapping[str, Float64[np.ndarray, " n"]]
    weights: Mapping[str, Float64[np.ndarray, " n"]]
    input_size: Int32[np.ndarray, "n 2"]
    seconds: Float64[np.ndarray, " n"]
    depth_pixels: Int64[np.ndarray, "n k"]
    depth_abs_rel: Float64[np.ndarray, "n k"]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.index)

    @property
    def unreadable(self) -> Bool[np.ndarray, " n"]:
        """Which images were skipped since their files could not be read; `reason` names the file."""
        return np.asarray((self.status == "skipped") & (self.reason != "") & (self.valid_pixels == 0))

    @property
    def undetermined(self) -> Bool[np.ndarray, " n"]:
        """Which images were skipped since their true depth settles no fit; `reason` says how many values it has."""
        return np.asarray((self.status == "skipped") & (self.valid_pixels > 0))

    def select(self, rows: Bool[np.ndarray, " n"] | Int64[np.ndarray, " m"]) -> "Scored":
        """Return some of the images: those where a mask is true, or those at the given places."""
        return _combine([self], lambda columns: columns[0][rows])

    def record(self, place: int, protocol: str) -> SampleRecord:
        """Return one image as a row; `protocol` is the name that the columns are kept under."""
        height, width = self.input_size[place].tolist()
        return SampleRecord(
            index=int(self.index[place]),
            sample_id=str(self.sample_id[place]),
            cluster=str(self.cluster[place]),
            slice=str(self.slice[place]),
            protocol=protocol,
            protocol_version=self.protocol_version,
            status=str(self.status[place]),  # type: ignore[arg-type]
            reason=str(self.reason[place]),
            valid_pixels=int(self.valid_pixels[place]),
            scale=_number(self.scale[place]),
            shift=_number(self.shift[place]),
            errors={metric: _number(values[place]) for metric, values in self.errors.items()},
            weights={metric: float(values[place]) for metric, values in self.weights.items()},
            input_size=(height, width),
            seconds=float(self.seconds[place]),
            depth_pixels=tuple(self.depth_pixels[place].tolist()),
            depth_abs_rel=tuple(_number(value) for value in self.depth_abs_rel[place]),
        )


def join(parts: Sequence[Scored]) -> Scored:
    """Put the images of several parts under one protocol together, in ascending order of `index`.

    Raises:
        RecordsError: if the parts are of different protocol versions or have different metrics.
    """
    kinds = {(part.protocol_version, tuple(part.errors), tuple(part.weights)) for part in parts}
    if len(kinds) != 1:
        msg = f"expected records of one protocol version with one set of metrics, got {sorted(kinds)}"
        raise RecordsError(msg)
    whole = _combine(parts, np.concatenate)
    ascending = bool((np.diff(whole.index) > 0).all())
    return whole if ascending else whole.select(np.argsort(whole.index, kind="stable"))


def from_records(records: Iterable[SampleRecord]) -> dict[str, Scored]:
    """Turn rows into columns, by protocol in order of first appearance; only a part of the rows is held at a time.

    An image that comes twice stays twice, in the order of its rows.

    Raises:
        RecordsError: if rows of one protocol differ in their metrics or the protocol's version.
    """
    parts: dict[str, list[Scored]] = {}
    rows = iter(records)
    while chunk := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        by_protocol: dict[str, list[SampleRecord]] = {}
        for record in chunk:
            by_protocol.setdefault(record.protocol, []).append(record)
        for protocol, group in by_protocol.items():
            parts.setdefault(protocol, []).append(_columns(protocol, group))
    return {protocol: join(scored) for protocol, scored in parts.items()}


def to_records(scores: Mapping[str, Scored]) -> Iterator[SampleRecord]:
    """Turn columns into rows, image by image."""
    for place in range(max(map(len, scores.values()), default=0)):
        for protocol, scored in scores.items():
            yield scored.record(place, protocol)


def write_table(path: Path, scores: Mapping[str, Scored]) -> None:
    """Write the columns of a cell as one Parquet file, whole or not at all: one row per image, zstd.

    Columns of an image have their plain names, those of a protocol are `<protocol>.status` and so on, and
    `<protocol>.error.<metric>`. Undefined numbers are null.

    Args:
        path: of the file.
        scores: protocol -> its columns; all of the same images.

    Raises:
        RecordsError: if the protocols are not of the same images.
    """
    first = next(iter(scores.values()))
    for protocol, scored in scores.items():
        alike = np.array_equal(scored.index, first.index) and np.array_equal(scored.sample_id, first.sample_id)
        if not alike:
            msg = f"{path}: expected every protocol to score the same images, but {protocol} has others"
            raise RecordsError(msg)
    columns: dict[str, pa.Array] = {
        "index": pa.array(first.index),
        "sample_id": _text(first.sample_id),
        "cluster": _text(first.cluster),
        "slice": _text(first.slice),
        "input_height": pa.array(first.input_size[:, 0]),
        "input_width": pa.array(first.input_size[:, 1]),
        "seconds": pa.array(first.seconds),
    }
    for protocol, scored in scores.items():
        columns |= {f"{protocol}.{name}": column for name, column in _of_protocol(scored).items()}
    about = {
        "layout": LAYOUT,
        "protocols": {
            name: {"version": scored.protocol_version, "metrics": list(scored.errors), "weights": list(scored.weights)}
            for name, scored in scores.items()
        },
    }
    table = pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(about)})
    with replaced(path) as part:
        pq.write_table(table, part, compression="zstd")


def read_table(path: Path) -> dict[str, Scored]:
    """Read the columns of a cell, by protocol in the order they were scored in.

    Raises:
        RecordsError: if the file is missing, damaged or not one that `write_table` wrote.
    """
    try:
        # one thread: a report reads many small files
        table = pq.read_table(path, use_threads=False)
        about = json.loads((table.schema.metadata or {})[_METADATA])
        if about["layout"] != LAYOUT:
            msg = f"{path}: expected records of layout {LAYOUT}, got {about['layout']}; run the cell with force=true"
            raise RecordsError(msg)
        images = {name: _strings(table[name]) for name in ("sample_id", "cluster", "slice")}
        images |= {name: table[name].to_numpy() for name in ("index", "seconds")}
        images["input_size"] = np.stack([table["input_height"].to_numpy(), table["input_width"].to_numpy()], axis=1)
        return {name: _scored(table, name, info, images) for name, info in about["protocols"].items()}
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        msg = f"{path}: expected records written by a run, but {error}; run the cell again with force=true"
        raise RecordsError(msg) from error


def _of_protocol(scored: Scored) -> dict[str, pa.Array]:
    columns = {
        "status": _text(scored.status),
        "reason": _text(scored.reason),
        "valid_pixels": pa.array(scored.valid_pixels),
        "scale": pa.array(scored.scale, from_pandas=True),  # NaN becomes null
        "shift": pa.array(scored.shift, from_pandas=True),
        **{f"error.{name}": pa.array(values, from_pandas=True) for name, values in scored.errors.items()},
        **{f"weight.{name}": pa.array(values) for name, values in scored.weights.items()},
    }
    if bins := scored.depth_pixels.shape[1]:
        pixels = pa.array(scored.depth_pixels.ravel())
        abs_rel = pa.array(scored.depth_abs_rel.ravel(), from_pandas=True)
        columns["depth_pixels"] = pa.FixedSizeListArray.from_arrays(pixels, bins)
        columns["depth_abs_rel"] = pa.FixedSizeListArray.from_arrays(abs_rel, bins)
    return columns


def _scored(table: pa.Table, protocol: str, info: Mapping[str, Any], images: Mapping[str, Any]) -> Scored:
    def column(name: str) -> pa.ChunkedArray:
        return table[f"{protocol}.{name}"]

    def bins(name: str) -> Any:
        if f"{protocol}.{name}" not in table.column_names:
            return np.empty((len(table), 0))
        flat = column(name).combine_chunks().flatten()
        return flat.to_numpy(zero_copy_only=False).reshape(len(table), -1)

    return Scored(
        **images,
        protocol_version=info["version"],
        status=_strings(column("status")),
        reason=_strings(column("reason")),
        valid_pixels=column("valid_pixels").to_numpy(),
        scale=column("scale").to_numpy(),
        shift=column("shift").to_numpy(),
        errors={name: column(f"error.{name}").to_numpy() for name in info["metrics"]},
        weights={name: column(f"weight.{name}").to_numpy() for name in info["weights"]},
        depth_pixels=bins("depth_pixels").astype(np.int64),
        depth_abs_rel=bins("depth_abs_rel").astype(np.float64),
    )


def _columns(protocol: str, records: Sequence[SampleRecord]) -> Scored:
    first = records[0]
    for record in records:
        if record.errors.keys() != first.errors.keys() or record.weights.keys() != first.weights.keys():
            msg = (
                f"expected the metrics {', '.join(first.errors)} for image {record.sample_id!r} under {protocol}, got "
                f"{', '.join(record.errors)}; run the cell again with force=true"
            )
            raise RecordsError(msg)
    if len({record.protocol_version for record in records}) > 1:
        msg = f"expected records of one version of {protocol}, got several; run the cell again with force=true"
        raise RecordsError(msg)

    def floats(values: Iterable[float | None]) -> Float64[np.ndarray, " n"]:
        return np.array(list(values), dtype=np.float64)  # None becomes NaN

    shape = len(records), -1 if first.depth_pixels else 0
    return Scored(
        protocol_version=first.protocol_version,
        index=np.array([record.index for record in records], dtype=np.int64),
        sample_id=np.array([record.sample_id for record in records]),
        cluster=np.array([record.cluster for record in records]),
        slice=np.array([record.slice for record in records]),
        status=np.array([record.status for record in records]),
        reason=np.array([record.reason for record in records]),
        valid_pixels=np.array([record.valid_pixels for record in records], dtype=np.int64),
        scale=floats(record.scale for record in records),
        shift=floats(record.shift for record in records),
        errors={metric: floats(record.errors[metric] for record in records) for metric in first.errors},
        weights={metric: floats(record.weights[metric] for record in records) for metric in first.weights},
        input_size=np.array([record.input_size for record in records], dtype=np.int32),
        seconds=floats(record.seconds for record in records),
        depth_pixels=np.array([record.depth_pixels for record in records], dtype=np.int64).reshape(shape),
        depth_abs_rel=np.array([record.depth_abs_rel for record in records], dtype=np.float64).reshape(shape),
    )


def _combine(parts: Sequence[Scored], combine: Callable[[list[Any]], Any]) -> Scored:
    """Apply a function to the same column of all parts, for every column."""
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(Scored):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            columns[field.name] = combine(values)
        elif isinstance(values[0], Mapping):
            columns[field.name] = {name: combine([value[name] for value in values]) for name in values[0]}
        else:
            columns[field.name] = values[0]
    return Scored(**columns)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _text(values: Shaped[np.ndarray, " n"]) -> pa.Array:
    return pa.array(values.tolist(), type=pa.string())


def _strings(column: pa.ChunkedArray) -> Shaped[np.ndarray, " n"]:
    """Return a column of text; few distinct values are decoded once each."""
    encoded = column.combine_chunks().dictionary_encode()
    distinct = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    return np.asarray(distinct[encoded.indices.to_numpy()])
