"""Records of several processes become one file in which every image appears exactly once."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from src.core.errors import RecordsError
from src.records import schema
from src.records.reader import read_records
from src.records.table import read_table, to_records
from src.records.writer import (
    RecordWriter,
    clear,
    discard_logs,
    kept_file,
    merge,
    rank_file,
    read_kept,
    recover,
    write_json,
    write_manifest,
)

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
    assert rank_file(tmp_path, 0).exists()  # until the manifest is there
    discard_logs(tmp_path)
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


PROTOCOLS = {"metric": 1}


def recovered(folder):
    kept = recover(folder, NAMES, PROTOCOLS)
    assert not list(folder.glob("*rank*"))
    assert list(to_records(read_kept(folder))) == list(to_records(kept))
    return kept["metric"].index.tolist() if kept else []


@pytest.mark.parametrize("cut", [1, 40])
def test_a_torn_last_line_is_dropped(tmp_path, record, cut):
    write(tmp_path, 0, [record(0), record(1)])
    log = rank_file(tmp_path, 0)
    log.write_bytes(log.read_bytes()[:-cut])
    assert recovered(tmp_path) == [0]


def test_a_line_torn_within_a_character_is_dropped(tmp_path, record):
    write(tmp_path, 0, [record(0), record(1, slice="küche")])
    log = rank_file(tmp_path, 0)
    data = log.read_bytes()
    log.write_bytes(data[: data.index("ü".encode()) + 1])
    assert recovered(tmp_path) == [0]


@pytest.mark.parametrize("zeros", [slice(0, None), slice(0, 90), slice(150, 400)], ids=["all", "start", "middle"])
def test_what_a_power_loss_left_as_zeros_is_dropped_and_said(tmp_path, record, zeros, caplog):
    write(tmp_path, 0, [record(0), record(1), record(2)])
    log = rank_file(tmp_path, 0)
    data = bytearray(log.read_bytes())
    hit = range(*zeros.indices(len(data)))
    ends = [i for i, byte in enumerate(data) if byte == ord("\n")]
    starts = [0, *(end + 1 for end in ends)]
    for i in hit:
        data[i] = 0
    log.write_bytes(data)

    whole = [k for k, end in enumerate(ends) if not any(starts[k] <= i <= end for i in hit)]
    # a line whose end was lost takes the next one with it
    assert set(recovered(tmp_path)) <= set(whole)
    assert recovered(tmp_path) or zeros.stop is None or zeros.start
    if len(hit) < len(data):
        assert "damaged; their images are scored again" in caplog.text


def test_an_empty_log_is_nothing(tmp_path):
    rank_file(tmp_path, 0).touch()
    assert recovered(tmp_path) == []


def test_what_was_kept_twice_interrupted_adds_up(tmp_path, record):
    write(tmp_path, 0, [record(2)])
    assert recovered(tmp_path) == [2]
    write(tmp_path, 0, [record(0)])
    write(tmp_path, 1, [record(1, "another")])
    assert recovered(tmp_path) == [0, 2]
    kept_file(tmp_path).write_bytes(b"")
    assert recovered(tmp_path) == []


def test_an_image_scored_twice_is_kept_once(tmp_path, record):
    write(tmp_path, 0, [record(0, seconds=1.0), record(1)])
    write(tmp_path, 1, [record(0, seconds=2.0)])
    kept = recover(tmp_path, NAMES, PROTOCOLS)["metric"]
    assert kept.index.tolist() == [0, 1]
    assert kept.seconds[0] == 2.0


def test_a_full_disk_keeps_what_was_written_before(tmp_path, record):
    """In a process of its own, whose files may not grow beyond some size: the system refuses as on a full disk."""
    code = f"""
import resource, signal
from pathlib import Path
from src.records.schema import SampleRecord
from src.records.writer import RecordWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
with RecordWriter(Path({str(tmp_path)!r}), 0) as writer:
    for i in range(3):
        writer.write([SampleRecord(**{dataclasses.asdict(record(0))!r} | {{"index": i, "sample_id": f"scene/{{i}}"}})])
"""
    # coverage, where it is on, cannot write its own file either
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert "OSError: [Errno 27]" in done.stderr
    assert done.stderr.count("Traceback") == 1, "closing tried to write again"
    assert rank_file(tmp_path, 0).stat().st_size == 700
    assert recovered(tmp_path) == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"scored": {"metric": 1}},
        {"failed": {"metric": 1}},
        {"unreadable": 1},
        {"expected": 3},
    ],
)
def test_a_cell_whose_counts_do_not_add_up_is_not_closed(tmp_path, manifest, changes):
    with pytest.raises(RecordsError, match=r"images to be scored, skipped or failed under metric, got .* scored"):
        write_manifest(tmp_path, manifest(**changes))
    assert not list(tmp_path.iterdir())


def test_an_image_whose_other_files_are_not_there_is_scored_again(tmp_path, record):
    write(tmp_path, 0, [record(0), record(1), record(2)])
    kept = recover(tmp_path, NAMES, {"metric": 1}, lambda name: name != "scene/1")
    assert kept["metric"].index.tolist() == read_kept(tmp_path)["metric"].index.tolist() == [0, 2]
