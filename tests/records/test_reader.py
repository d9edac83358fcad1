"""Reading back is exact, and damage is named."""

import dataclasses
import json

import pytest

from src.core.errors import RecordsError
from src.records.reader import (
    Cell,
    find_cells,
    is_complete,
    read_cell,
    read_intact_records,
    read_manifest,
    read_records,
)
from src.records.table import to_records
from src.records.writer import RecordWriter, merge, rank_file, write_manifest


@pytest.fixture
def cell(tmp_path, record, manifest):
    folder = tmp_path / "ramp" / "sample" / "0123456789ab"
    folder.mkdir(parents=True)
    with RecordWriter(folder, 0) as writer:
        writer.write([record(0), record(1, status="failed", scale=None, errors={"abs_rel": None})])
    scores = merge(folder, 1, ["scene/0", "scene/1"], ["metric"])
    write_manifest(folder, manifest())
    return Cell(folder=folder, manifest=manifest(), scores=scores)


def test_a_cell_reads_back_as_written(cell):
    again = read_cell(cell.folder)
    assert (again.folder, again.manifest) == (cell.folder, cell.manifest)
    assert list(to_records(again.scores)) == list(to_records(cell.scores))
    assert is_complete(cell.folder)


def test_cells_are_found_once_below_any_of_the_folders(cell, tmp_path):
    (tmp_path / "unfinished").mkdir()
    assert find_cells([tmp_path, cell.folder]) == [cell.folder]
    assert not is_complete(tmp_path / "unfinished")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(RecordsError, match="nowhere: expected a folder written by a run"):
        find_cells([tmp_path / "nowhere"])


@pytest.fixture
def log(tmp_path, record):
    with RecordWriter(tmp_path, 0) as writer:
        writer.write([record(0), record(1)])
    return rank_file(tmp_path, 0)


def test_a_torn_line_is_named(log):
    log.write_text(log.read_text()[:-40])
    with pytest.raises(RecordsError, match=r"records\.rank0\.jsonl, line 2: expected JSON"):
        list(read_records(log))
    assert [record.index for record in read_intact_records(log)] == [0]


@pytest.mark.parametrize("damage", [b'{"index": 0}', b"[1, 2]", b"3", b'"\xff"'])
def test_a_line_that_is_no_record_is_named(log, damage):
    log.write_bytes(damage + b"\n")
    with pytest.raises(RecordsError, match=r"records\.rank0\.jsonl, line 1: expected a record"):
        list(read_records(log))


def test_a_manifest_of_another_layout_is_refused(cell):
    path = cell.folder / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema": 99}))
    with pytest.raises(RecordsError, match="expected a manifest of layout 2"):
        read_manifest(cell.folder)
    del content["device"]
    path.write_text(json.dumps(content))
    with pytest.raises(RecordsError, match="device"):
        read_manifest(cell.folder)


def test_a_missing_or_damaged_file_is_named(cell):
    path = cell.folder / "records.parquet"
    whole = path.read_bytes()
    for damage in (b"\xff\xfe\x00", b"", whole[:-20]):
        path.write_bytes(damage)
        with pytest.raises(RecordsError, match=r"records\.parquet: expected records written by a run"):
            read_cell(cell.folder)
    path.unlink()
    with pytest.raises(RecordsError, match=r"records\.parquet: expected records written by a run"):
        read_cell(cell.folder)


def test_every_field_of_a_manifest_survives(cell, manifest):
    changed = manifest(config={"data": {"size": [4, 6]}}, not_applicable=["scale"], limited=True)
    write_manifest(cell.folder, changed)
    assert dataclasses.asdict(read_manifest(cell.folder)) == dataclasses.asdict(changed)
