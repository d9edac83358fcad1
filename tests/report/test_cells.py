import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from src.core.errors import RecordsError
from src.report.cells import find

Make = Callable[..., Path]


def test_finished_and_unfinished_cells_are_told_apart(make_cell: Make, tmp_path: Path) -> None:
    done = make_cell("ramp/rooms/aaa")
    started = tmp_path / "outputs" / "midas" / "rooms" / "bbb"
    started.mkdir(parents=True)
    (started / "records.rank0.jsonl").touch()
    (started / "config.yaml").touch()
    findings = find([tmp_path / "outputs"])
    assert [cell.folder for cell in findings.cells] == [done]
    assert findings.unfinished == (started,)


def test_folders_of_other_programs_are_no_unfinished_cells(make_cell: Make, tmp_path: Path) -> None:
    make_cell()
    hidden = tmp_path / "outputs" / "ramp" / ".hydra"
    hidden.mkdir(parents=True)
    (hidden / "config.yaml").touch()
    assert find([tmp_path / "outputs"]).unfinished == ()


def test_a_cell_named_twice_is_read_once(make_cell: Make, tmp_path: Path) -> None:
    folder = make_cell()
    assert len(find([folder, tmp_path / "outputs"]).cells) == 1


def test_nothing_finished_is_an_error_that_counts_what_was_started(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(RecordsError, match=r"expected at least one finished cell.*1 started but never finished"):
        find([tmp_path])


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=re.escape(str(tmp_path / "nowhere"))):
        find([tmp_path / "nowhere"])


def test_a_broken_line_names_its_file_and_number(make_cell: Make) -> None:
    file = make_cell(images=3) / "records.jsonl"
    lines = file.read_text().splitlines()
    lines[2] = lines[2][:40]
    file.write_text("\n".join(lines))
    with pytest.raises(RecordsError, match=re.escape(str(file)) + ", line 3"):
        find([file.parent])


def test_records_that_end_early_are_not_averaged(make_cell: Make) -> None:
    file = make_cell(images=3, protocols=("metric",)) / "records.jsonl"
    file.write_text("\n".join(file.read_text().splitlines()[:2]))
    with pytest.raises(RecordsError, match=r"counts, 3 ok under metric, got 2 ok under metric"):
        find([file.parent])


def test_a_record_without_one_of_the_metrics_is_refused(make_cell: Make) -> None:
    file = make_cell(images=1, protocols=("metric",)) / "records.jsonl"
    record = json.loads(file.read_text())
    del record["errors"]["rmse"]
    file.write_text(json.dumps(record))
    with pytest.raises(RecordsError, match=r"'scene/000' under metric, got abs_rel, silog, delta1"):
        find([file.parent])
