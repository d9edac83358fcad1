"""Zeroed blocks, flipped bits and lost ends of every kind of file: a reason in one line, never a changed number."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from src.core.errors import LeadlineError, RecordsError
from src.engine.cell.manifest import collect_reports
from src.engine.cell.origin import Origin, read_origin, write_origin
from src.engine.scoring.report import rank_report
from src.engine.scoring.saved_predictions import read_prediction
from src.records.reader import read_cell, read_intact_records, read_records
from src.records.sealed import read_sealed, write_sealed
from src.records.status import note, noted, progress
from src.records.table import read_table, to_records
from src.records.writer import RecordWriter
from src.report.findings.panels import read_panel
from src.status import main

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def cell(run, outside):
    """A finished cell of five images with pictures and predictions, and what only an unfinished one has."""
    words = ("model=broken", "data=ragged", "data.n=5", "protocol=[metric]", "panels=1", "save_predictions=float32")
    folder = run(*words, conf=outside).folder
    note(folder, state="done", command="model=broken", expected=5)
    return folder


def damages(content, rng):
    """Yield what damage makes of a file: blocks of zeros, flipped bits, ends that are lost."""
    for _ in range(12):
        start, length = int(rng.integers(len(content))), int(rng.integers(1, max(len(content) // 4, 2)))
        yield content[:start] + bytes(len(content[start : start + length])) + content[start + length :]
    for _ in range(150):
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        yield content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
    for _ in range(12):
        yield content[: int(rng.integers(len(content)))]


def refused(path, read, same):
    """Damage a file in every way; return how many readings were refused, and hold all others against the original."""
    content, said, sound = path.read_bytes(), [], read()
    for damaged in damages(content, np.random.default_rng(0)):
        path.write_bytes(damaged)
        try:
            found = read()
        except LeadlineError as error:
            said.append(str(error))
        else:
            assert same(found, sound), damaged
    path.write_bytes(content)
    assert all(str(path) in one and len(one.splitlines()) == 1 for one in said)
    return len(said)


def cells_alike(one, other):
    rows = list(to_records(one.scores)) == list(to_records(other.scores))
    return rows and dataclasses.asdict(one.manifest) == dataclasses.asdict(other.manifest)


def test_records_and_manifest_of_a_finished_cell(cell):
    read = lambda: read_cell(cell)  # noqa: E731
    assert refused(cell / "records.parquet", read, cells_alike) == 174
    assert refused(cell / "manifest.json", read, cells_alike) > 160


def test_records_whose_manifest_is_not_there_yet(cell, tmp_path):
    path = tmp_path / "records.kept.parquet"
    shutil.copy(cell / "records.parquet", path)
    rows = lambda scores: list(to_records(scores))  # noqa: E731
    assert refused(path, lambda: read_table(path), lambda a, b: rows(a) == rows(b)) == 174


def test_a_log_gives_the_records_that_are_whole_and_no_other(cell, tmp_path):
    records = list(to_records(read_cell(cell).scores))
    with RecordWriter(tmp_path, 0) as writer:
        writer.write(records)
    path = tmp_path / "records.rank0.jsonl"
    assert refused(path, lambda: list(read_records(path)), lambda found, sound: found == sound) > 100
    content = path.read_bytes()
    for damaged in damages(content, np.random.default_rng(1)):
        path.write_bytes(damaged)
        found = list(read_intact_records(path))
        assert all(record in records for record in found)


def test_a_log_of_before_checksums_is_still_read(cell, tmp_path):
    records = list(to_records(read_cell(cell).scores))
    path = tmp_path / "records.rank0.jsonl"
    path.write_text("".join(json.dumps(dataclasses.asdict(record)) + "\n" for record in records))
    assert list(read_records(path)) == records


def test_what_says_whose_the_records_are(tmp_path):
    content = {"data": {"a": "0123", "b": "4567"}, "model": {"0 m.pth": "89ab"}}
    measured = {"model": {"x": 1.5}, "seed": 0}
    write_origin(tmp_path, Origin(fingerprint="0123abcd", measured=measured, rescored_from="", content=content))
    path = tmp_path / "files.json"
    assert refused(path, lambda: read_origin(tmp_path), lambda found, sound: found == sound) > 140


def test_what_a_process_reports(tmp_path):
    write_sealed(rank_report(tmp_path, 0), {"world_size": 1, "means": {"metric": {"abs_rel": 0.125}}, "halved": 0})
    same = lambda found, sound: all(found[0].get(key) == value for key, value in sound[0].items())  # noqa: E731
    assert refused(rank_report(tmp_path, 0), lambda: collect_reports(tmp_path), same) > 140


def test_a_status_is_shown_as_damaged_and_written_anew(cell, capsys):
    path = cell / "status.json"
    same = lambda found, sound: sound.items() <= found.items()  # noqa: E731
    assert refused(path, lambda: read_sealed(path), same) > 100
    sound = noted(cell)
    path.write_bytes(path.read_bytes()[:-9])
    assert noted(cell) == {}
    (found,) = progress([cell], is_held=lambda _: False)
    assert (found.state, str(path) in found.reason) == ("damaged", True)
    assert main([str(cell)]) == 1
    assert "1 damaged" in capsys.readouterr().out
    note(cell, **sound)
    assert main([str(cell)]) == 0


def test_pictures(cell):
    path = min((cell / "panels").glob("*.npz"))
    name = str(read_cell(cell).scores["metric"].sample_id[int(path.stem)])

    def alike(found, sound):
        return found.identity == sound.identity and np.array_equal(found.aligned, sound.aligned)

    assert refused(path, lambda: read_panel(path, "metric", expected=name), alike) > 100


def test_saved_predictions(cell):
    path = cell / "predictions" / "image" / "1.npz"

    def alike(found, sound):
        return found[0].equal(sound[0]) and (found[1] is None) == (sound[1] is None)

    assert refused(path, lambda: read_prediction(cell, "image/1"), alike) > 100


def test_one_damaged_manifest_hides_no_other_cell(cell, tmp_path, capsys):
    other = cell.with_name("other")
    shutil.copytree(cell, other)
    (other / "manifest.json").write_bytes((cell / "manifest.json").read_bytes()[:100])
    assert main([str(tmp_path / "outputs")]) == 1
    out = capsys.readouterr().out
    assert "1 damaged, 1 done" in out
    with pytest.raises(RecordsError, match="damaged or truncated"):
        read_cell(other)
