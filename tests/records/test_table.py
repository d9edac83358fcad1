"""Columns hold what rows hold, in memory and on disk."""

import csv
import dataclasses
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from src.core.errors import RecordsError
from src.core.shown import cell
from src.records.__main__ import main
from src.records.table import LAYOUT, from_records, join, read_table, to_records, write_table
from src.records.writer import write_manifest


@pytest.fixture
def rows(record):
    pooled = {"errors": {"whdr": 0.25, "abs_rel": None}, "weights": {"whdr": 12.0}}
    return [
        record(0, "scale", cluster="haus 1", slice="küche", seconds=0.1 + 0.2),
        record(0, "pairs", cluster="haus 1", slice="küche", seconds=0.1 + 0.2, **pooled),
        record(3, "scale", sample_id="深度,\n\u2028", status="failed", reason="not finite", scale=None, shift=None),
        record(3, "pairs", sample_id="深度,\n\u2028", protocol_version=1, **pooled),
    ]


def test_rows_become_columns_and_rows_again(rows, tmp_path):
    scores = from_records(rows)
    assert list(to_records(scores)) == rows

    write_table(tmp_path / "x.parquet", scores)
    assert list(to_records(read_table(tmp_path / "x.parquet"))) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_columns_have_the_promised_types(rows, tmp_path):
    write_table(tmp_path / "x.parquet", from_records(rows))
    scored = read_table(tmp_path / "x.parquet")["pairs"]
    assert scored.index.dtype == scored.valid_pixels.dtype == np.int64
    assert scored.input_size.dtype == np.int32
    assert scored.scale.dtype == scored.errors["whdr"].dtype == np.float64
    assert {column.dtype.kind for column in (scored.sample_id, scored.cluster, scored.slice, scored.status)} == {"U"}
    assert np.isnan(scored.errors["abs_rel"]).all()
    assert scored.errors.keys() == {"whdr", "abs_rel"}
    assert scored.weights.keys() == {"whdr"}


def test_anybody_can_read_the_file(rows, tmp_path):
    write_table(tmp_path / "x.parquet", from_records(rows))
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["pairs.error.whdr"].to_pylist() == [0.25, 0.25]
    assert table["pairs.error.abs_rel"].to_pylist() == [None, None]
    assert table["scale.status"].to_pylist() == ["ok", "failed"]
    assert json.loads(table.schema.metadata[b"leadline"])["layout"] == LAYOUT


def test_bins_of_depth_survive(record, tmp_path):
    rows = [
        record(0, depth_pixels=(3, 0), depth_abs_rel=(0.5, None)),
        record(1, depth_pixels=(0, 7), depth_abs_rel=(None, 0.25)),
    ]
    write_table(tmp_path / "x.parquet", from_records(rows))
    again = read_table(tmp_path / "x.parquet")
    assert list(to_records(again)) == rows
    assert again["metric"].depth_pixels.tolist() == [[3, 0], [0, 7]]


def test_a_float_survives_to_the_last_bit(record, tmp_path):
    values = np.random.default_rng(0).lognormal(sigma=20, size=200)
    scores = from_records(record(i, errors={"rmse": float(value)}) for i, value in enumerate(values))
    write_table(tmp_path / "x.parquet", scores)
    assert read_table(tmp_path / "x.parquet")["metric"].errors["rmse"].tobytes() == values.tobytes()


def test_many_rows_are_taken_in_parts_and_put_in_order(record, monkeypatch):
    monkeypatch.setattr("src.records.table._ROWS_AT_ONCE", 3)
    order = np.random.default_rng(1).permutation(20).tolist()
    scored = from_records(record(i) for i in order)["metric"]
    assert scored.index.tolist() == list(range(20))
    assert scored.sample_id.tolist() == [f"scene/{i}" for i in range(20)]
    halves = [scored.select(scored.index % 2 == rest) for rest in (1, 0)]
    assert list(to_records({"metric": join(halves)})) == list(to_records({"metric": scored}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors": {"rmse": 1.0}}, "expected the metrics abs_rel for image 'scene/1' under metric, got rmse"),
        ({"protocol_version": 2}, "expected records of one version of metric"),
    ],
)
@pytest.mark.parametrize("at_once", [1, 10])
def test_rows_that_do_not_belong_together_are_refused(record, monkeypatch, changes, message, at_once):
    monkeypatch.setattr("src.records.table._ROWS_AT_ONCE", at_once)
    expected = message if at_once > 1 else "expected records of one protocol version with one set of metrics"
    with pytest.raises(RecordsError, match=expected):
        from_records([record(0), record(1, **changes)])


def test_protocols_of_different_images_are_refused(record, tmp_path):
    scores = from_records([record(0, "a"), record(1, "b")])
    with pytest.raises(RecordsError, match="expected every protocol to score the same images, but b has others"):
        write_table(tmp_path / "x.parquet", scores)


def test_another_layout_is_refused(record, tmp_path):
    path = tmp_path / "x.parquet"
    write_table(path, from_records([record(0)]))
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"leadline"])
    pq.write_table(table.replace_schema_metadata({b"leadline": json.dumps(about | {"layout": 99})}), path)
    with pytest.raises(RecordsError, match=f"expected records of layout {LAYOUT}, got 99"):
        read_table(path)
    pq.write_table(table.replace_schema_metadata({}), path)
    with pytest.raises(RecordsError, match="expected records written by a run"):
        read_table(path)


def test_people_can_read_a_cell(rows, manifest, tmp_path, capsys):
    write_table(tmp_path / "records.parquet", from_records(rows))
    write_manifest(tmp_path, manifest())

    assert main(["export", str(tmp_path), "--csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [line["sample_id"] for line in lines] == [cell(row.sample_id) for row in rows]
    assert [line["abs_rel"] for line in lines] == ["0.1", "", "0.4", ""]
    assert lines[2]["reason"] == "not finite"

    assert main(["export", str(tmp_path), "--jsonl"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.removesuffix("\n").split("\n")]
    assert printed == json.loads(json.dumps([dataclasses.asdict(row) for row in rows]))

    assert main(["export", str(tmp_path / "nowhere")]) == 1
    assert "error: " in capsys.readouterr().err
