"""Reading back is exact, and damage is named."""

import dataclasses
import json

import pytest

from src.core.errors import RecordsError
from src.records.reader import Cell, find_cells, is_complete, read_cell, read_manifest, read_records
from src.records.writer import RecordWriter, merge, write_manifest


@pytest.fixture
def cell(tmp_path, record, manifest):
    folder = tmp_path / "ramp" / "sample" / "0123456789ab"
    folder.mkdir(parents=True)
    with RecordWriter(folder, 0) as writer:
        writer.write([record(0), record(1, status="failed", scale=None, errors={"abs_rel": None})])
    records = merge(folder, 1, ["scene/0", "scene/1"], ["metric"])
    write_manifest(folder, manifest())
    return Cell(folder=folder, manifest=manifest(), records=records)


def test_a_cell_reads_back_as_written(cell):
    assert read_cell(cell.folder) == cell
    assert is_complete(cell.folder)


def test_cells_are_found_once_below_any_of_the_folders(cell, tmp_path):
    (tmp_path / "unfinished").mkdir()
    assert find_cells([tmp_path, cell.folder]) == [cell.folder]
    assert not is_complete(tmp_path / "unfinished")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(RecordsError, match="nowhere: expected a folder written by a run"):
        find_cells([tmp_path / "nowhere"])


def test_a_torn_line_is_named(cell):
    path = cell.folder / "records.jsonl"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(RecordsError, match=r"records\.jsonl, line 2: expected JSON"):
        read_records(path)


@pytest.mark.parametrize("damage", ['{"index": 0}', "[1, 2]", "3"])
def test_a_line_that_is_no_record_is_named(cell, damage):
    path = cell.folder / "records.jsonl"
    path.write_text(damage + "\n")
    with pytest.raises(RecordsError, match=r"records\.jsonl, line 1: expected a record"):
        read_records(path)


def test_a_manifest_of_another_layout_is_refused(cell):
    path = cell.folder / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema": 99}))
    with pytest.raises(RecordsError, match="expected a manifest of layout 1"):
        read_manifest(cell.folder)
    del content["device"]
    path.write_text(json.dumps(content))
    with pytest.raises(RecordsError, match="device"):
        read_manifest(cell.folder)


def test_a_missing_or_binary_file_is_named(cell):
    (cell.folder / "records.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordsError, match=r"records\.jsonl: expected a text file"):
        read_cell(cell.folder)
    (cell.folder / "records.jsonl").unlink()
    with pytest.raises(RecordsError, match=r"records\.jsonl: expected a text file"):
        read_cell(cell.folder)


def test_every_field_of_a_manifest_survives(cell, manifest):
    changed = manifest(config={"data": {"size": [4, 6]}}, not_applicable=["scale"], limited=True)
    write_manifest(cell.folder, changed)
    assert dataclasses.asdict(read_manifest(cell.folder)) == dataclasses.asdict(changed)
