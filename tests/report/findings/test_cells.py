import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from src.core.errors import RecordsError
from src.records.table import read_table, write_table
from src.report.findings.cells import find

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


def test_a_damaged_file_is_named(make_cell: Make) -> None:
    file = make_cell(images=3) / "records.parquet"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(RecordsError, match=re.escape(str(file)) + ": expected records written by a run"):
        find([file.parent])


def test_records_that_end_early_are_not_averaged(make_cell: Make) -> None:
    file = make_cell(images=3, protocols=("metric",)) / "records.parquet"
    scored = read_table(file)["metric"]
    write_table(file, {"metric": scored.select(scored.index < 2)})
    with pytest.raises(RecordsError, match=r"counts, 3 ok under metric, got 2 ok under metric"):
        find([file.parent])


def test_records_without_one_of_the_metrics_are_refused(make_cell: Make) -> None:
    file = make_cell(images=1, protocols=("metric",)) / "records.parquet"
    scored = read_table(file)["metric"]
    errors = {metric: values for metric, values in scored.errors.items() if metric != "rmse"}
    write_table(file, {"metric": dataclasses.replace(scored, errors=errors)})
    with pytest.raises(RecordsError, match=r"delta1 under metric, got abs_rel, silog, delta1"):
        find([file.parent])
