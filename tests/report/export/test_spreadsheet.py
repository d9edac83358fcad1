import csv
from collections.abc import Callable
from pathlib import Path

from src.records.aggregate import estimates
from src.records.reader import read_cell
from src.report.export.spreadsheet import COLUMNS, write_csv
from src.report.findings.leaderboard import build_tables

Make = Callable[..., Path]


def lines_of(path: Path, *folders: Path) -> list[dict[str, str]]:
    write_csv(build_tables([read_cell(folder) for folder in folders]), path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_number_is_there_at_full_precision(make_cell: Make, tmp_path: Path) -> None:
    folder = make_cell(images=7, model="a, b", statuses={1: "failed", 2: "skipped"})
    found = estimates(read_cell(folder).scores)
    lines = lines_of(tmp_path / "x.csv", folder)
    assert [(line["protocol"], line["metric"]) for line in lines] == [
        (protocol, metric) for protocol, metrics in found.items() for metric in metrics
    ]
    for line in lines:
        estimate = found[line["protocol"]][line["metric"]]
        assert float(line["mean"]) == estimate.mean
        assert float(line["standard_error"]) == estimate.standard_error
        assert (float(line["low"]), float(line["high"])) == (estimate.low, estimate.high)
        assert [line[key] for key in ("model", "scored", "skipped", "failed", "n")] == ["a, b", "5", "1", "1", "5"]
        assert (line["ranked"], line["unranked_because"]) == ("False", "1 failed")
        assert line["input_sizes"] == "384x512"


def test_columns_are_all_filled_and_unknown_numbers_are_empty(make_cell: Make, tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "x.csv", make_cell(images=1))
    assert tuple(lines[0]) == COLUMNS
    assert lines[0]["standard_error"] == ""
    assert "None" not in (tmp_path / "x.csv").read_text()


def test_cells_that_may_not_be_compared_have_different_samples(make_cell: Make, tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "x.csv", make_cell("a", images=3), make_cell("b", images=4))
    assert len({line["samples"] for line in lines}) == 2
