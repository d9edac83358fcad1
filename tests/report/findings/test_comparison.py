"""Two reports side by side, with what moved known."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.stats

from src.report.__main__ import main
from src.report.findings.cells import find
from src.report.findings.comparison import compare_reports


def changed(folder, change, metric="abs_rel"):
    """Write other errors into a finished cell."""
    file = folder / "records.parquet"
    table = pq.read_table(file)
    name = f"metric.error.{metric}"
    values = table[name].to_numpy().copy()
    place = table.schema.get_field_index(name)
    pq.write_table(table.set_column(place, table.schema.field(place), [change(values)]), file)
    return folder


@pytest.fixture
def two(make_cell, tmp_path):
    """Abs_rel: the same, noise, a shift; and a model on each side that the other lacks."""
    noise = np.random.default_rng(0).normal(0, 1e-3, 40)
    changes = {"same": lambda v: v, "noisy": lambda v: v + noise, "worse": lambda v: v + 0.01 + noise}
    for side in ("a", "b"):
        for name, change in changes.items():
            cell = make_cell(f"{side}/{name}", model=name, images=40, protocols=("metric",))
            if side == "b":
                changed(cell, change)
        make_cell(f"{side}/only", model=f"only-{side}", protocols=("metric",))
    root = tmp_path / "outputs"
    return root / "a", root / "b"


def test_what_moved_and_whether_beyond_noise(two):
    found = compare_reports(find(two[:1]), find(two[1:]), ("a", "b"))
    moved = {one.name: one for one in found.moved if one.metric == "abs_rel"}
    assert {name: one.outcome for name, one in moved.items()} == {
        "same": "the same", "noisy": "within noise", "worse": "beyond noise"
    }  # fmt: skip
    assert found.only == (("only-a on rooms under metric",), ("only-b on rooms under metric",))
    assert found.moved[0].name == "worse"
    assert (moved["same"].changed, moved["noisy"].changed, moved["worse"].images) == (0, 40, 40)
    noise = np.random.default_rng(0).normal(0, 1e-3, 40)
    assert moved["noisy"].difference == pytest.approx(noise.mean())
    plain = scipy.stats.ttest_1samp(noise, 0)
    assert (moved["noisy"].low, moved["noisy"].high) == pytest.approx(tuple(plain.confidence_interval()))
    assert found.verdict == (
        "Of 12 numbers: 10 the same to the last bit of every image, 1 moved within noise, 1 moved beyond noise."
    )


def test_images_are_paired_by_name_and_few_say_nothing(make_cell, tmp_path):
    make_cell("a/x", images=8, protocols=("metric",))
    changed(make_cell("b/x", images=6, protocols=("metric",), statuses={1: "failed"}), lambda v: v + 1)
    root = tmp_path / "outputs"
    found = compare_reports(find([root / "a"]), find([root / "b"]), ("a", "b"))
    (one,) = [one for one in found.moved if one.metric == "abs_rel"]
    assert (one.images, one.alone, one.outcome, one.p) == (5, 3, "too few to say", None)
    assert one.difference == pytest.approx(1)


def test_the_page_the_files_and_the_terminal(two, tmp_path, capsys):
    output = tmp_path / "comparison.html"
    assert main([*map(str, two), "--compare", "--output", str(output)]) == 0
    assert "Which numbers moved?" in output.read_text()
    with (tmp_path / "comparison.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert (len(lines), lines[0]["name"], lines[0]["outcome"]) == (12, "worse", "beyond noise")
    assert "| worse | rooms, metric | AbsRel |" in (tmp_path / "comparison.md").read_text()
    assert "1 moved beyond noise." in capsys.readouterr().out
    assert main([str(two[0]), "--compare"]) == 1
    assert "--compare: expected two folders, before and after, got 1" in capsys.readouterr().err
