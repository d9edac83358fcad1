"""Records of several processes become one file in which every image appears exactly once."""

import json

import pytest

from src.core.errors import RecordsError
from src.records import schema
from src.records.reader import read_records
from src.records.table import read_table, to_records
from src.records.writer import RecordWriter, clear, merge, rank_file, write_json, write_manifest

NAMES = ["scene/0", "scene/1", "scene/2"]


def write(folder, rank, records):
    with RecordWriter(folder, rank) as writer:
        writer.write(records)


def test_shards_are_joined_in_order_of_image_and_protocol(tmp_path, record):
    write(tmp_path, 0, [record(2, "b"), record(2, "a"), record(0, "a"), record(0, "b")])
    write(tmp_path, 1, [record(1, "a"), record(1, "b")])

    merged = merge(tmp_path, 2, NAMES, ["b", "a"])

    assert list(merged) == ["b", "a"]
    assert all(scored.sample_id.tolist() == NAMES for scored in merged.values())
    assert list(to_records(read_table(tmp_path / schema.RECORDS_FILE))) == list(to_records(merged))
    assert not rank_file(tmp_path, 0).exists()


@pytest.mark.parametrize(
    ("drop", "repeat", "message"),
    [
        ((1,), (), r"missing 1 \(first: \(1, 'scene/1', 'metric'\)\), too many 0"),
        ((), (2,), r"missing 0 \(first: None\), too many 1 \(first: \(2, 'scene/2', 'metric'\)\)"),
    ],
)
def test_a_missing_or_repeated_image_is_refused_and_nothing_is_lost(tmp_path, record, drop, repeat, message):
    indices = [i for i in range(3) if i not in drop] + list(repeat)
    write(tmp_path, 0, [record(i) for i in indices])

    with pytest.raises(RecordsError, match=message):
        merge(tmp_path, 1, NAMES, ["metric"])
    assert len(list(read_records(rank_file(tmp_path, 0)))) == len(indices)
    assert not (tmp_path / schema.RECORDS_FILE).exists()


def test_an_image_under_another_name_is_refused(tmp_path, record):
    write(tmp_path, 0, [record(0), record(1, sample_id="another"), record(2)])
    with pytest.raises(RecordsError, match="another"):
        merge(tmp_path, 1, NAMES, ["metric"])


def test_nan_never_reaches_a_file(tmp_path, record):
    with pytest.raises(ValueError, match="not JSON compliant"), RecordWriter(tmp_path, 0) as writer:
        writer.write([record(0, errors={"abs_rel": float("nan")})])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "summary.json", {"mean": float("inf")})
    assert not (tmp_path / "summary.json").exists()


def test_clear_removes_what_a_run_writes_and_nothing_else(tmp_path, record, manifest):
    write(tmp_path, 0, [record(0)])
    write_manifest(tmp_path, manifest())
    (tmp_path / "panels").mkdir()
    (tmp_path / "panels" / "000000.npz").touch()
    (tmp_path / "notes.txt").write_text("mine")

    clear(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_json_names_characters_as_they_are(tmp_path):
    write_json(tmp_path / "x.json", {"name": "küche/01 深度"})
    assert "küche/01 深度" in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"name": "küche/01 深度"}
