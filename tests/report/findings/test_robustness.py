import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from src.data.corruption.catalogue import CORRUPTIONS
from src.records.reader import read_cell
from src.report.__main__ import main
from src.report.drawing.chart import Chart
from src.report.drawing.robustness import severity_charts
from src.report.findings.leaderboard import build_tables, comparable_rows
from src.report.findings.robustness import CATALOGUE, Trial, trials
from tests.report.drawing.test_page import page_of

Make = Callable[..., Path]


def measure(
    make_cell: Make, model: str, quality: float, conditions: Sequence[tuple[str, int]], **options: object
) -> list[Path]:
    """Write a clean cell and worse ones: quality grows with severity."""
    clean = make_cell(f"{model}-clean", model=model, quality=quality, protocols=("metric",), **options)
    later = {"finished": "2026-11-22T10:00:00+00:00"}
    return [clean] + [
        make_cell(
            f"{model}-{name}-{severity}", model=model, quality=quality * (1 + 0.3 * severity), protocols=("metric",),
            corruption=name, severity=severity, **later, **options,
        )
        for name, severity in conditions
    ]  # fmt: skip


def all_of(*corruptions: str) -> list[tuple[str, int]]:
    return [(name, severity) for name in corruptions for severity in range(1, 6)]


def trial_of(folders: Sequence[Path]) -> Trial:
    (found,) = trials(comparable_rows([read_cell(folder) for folder in folders]))
    return found


def charts_of(folders: Sequence[Path]) -> tuple[Chart, ...]:
    (charts,) = severity_charts([trial_of(folders)])
    return charts


def mean(folder: Path, metric: str) -> float:
    return float(pq.read_table(folder / "records.parquet")[f"metric.error.{metric}"].to_numpy().mean())


def dee2(folders: Sequence[Path]) -> float:
    abs_rel, delta1 = (np.mean([mean(folder, metric) for folder in folders]) for metric in ("abs_rel", "delta1"))
    return float((abs_rel - delta1 + 1) / 2)


def test_corrupted_cells_stand_in_no_table_beside_clean_ones(make_cell):
    folders = measure(make_cell, "ramp", 0.1, [("fog", 3), ("fog", 4)])
    (table,) = build_tables([read_cell(folder) for folder in folders])
    assert [row.cell.folder for row in table.rows] == folders[:1]
    assert table.rows[0].unranked == ()


def test_every_written_file_but_the_page_is_that_of_the_clean_cells_alone(make_cell, tmp_path):
    clean = [make_cell(name, model=name, quality=quality) for name, quality in (("a", 0.1), ("b", 0.2))]
    corrupted = make_cell("fog", model="a", quality=0.01, corruption="fog", severity=1)
    for name, folders in (("without", clean), ("with", [*clean, corrupted])):
        assert main([*map(str, folders), "--output", str(tmp_path / name / "report.html")]) == 0
    names = ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "pairs.csv", "papers.csv")
    for name in names:
        assert (tmp_path / "with" / name).read_text() == (tmp_path / "without" / name).read_text()


def test_mce_and_mrr_are_those_of_an_independent_computation(make_cell):
    names = ("fog", "pixelate")
    a = measure(make_cell, "a", 0.1, all_of(*names))
    b = measure(make_cell, "b", 0.15, all_of(*names))
    found = trial_of([*b, *a])
    errors = {model: [dee2(own[1:6]), dee2(own[6:])] for model, own in (("a", a), ("b", b))}
    assert found.baseline is not None
    assert found.baseline.name == "a"
    assert found.mce["a"] == pytest.approx(100)
    assert found.mce["b"] == pytest.approx(100 * np.mean(np.divide(errors["b"], errors["a"])))
    resilience = np.mean([(1 - error) / (1 - dee2(b[:1])) for error in errors["b"]])
    assert found.mrr["b"] == pytest.approx(100 * resilience)
    assert found.corruptions == names
    assert found.models[1].mean("fog") == pytest.approx(np.mean([mean(folder, "abs_rel") for folder in b[1:6]]))
    assert found.models[1].clean == pytest.approx(mean(b[0], "abs_rel"))


def test_the_baseline_has_the_most_and_models_that_lack_a_cell_of_it_have_no_mce(make_cell):
    a = measure(make_cell, "a", 0.1, all_of("fog", "snow")[:-1])
    b = measure(make_cell, "b", 0.1, all_of("fog", "snow"))
    c = measure(make_cell, "c", 0.1, all_of("fog", "snow", "dark")[:-1])
    found = trial_of([*a, *b, *c])
    assert found.baseline is not None
    assert found.baseline.name == "b"
    assert set(found.mce) == {"b", "c"}
    (section,) = page_of(*a, *b, *c).all("section", id="robustness")
    assert "9 of 90 cells" in section.text
    assert "severity 1, 2, 3, 4" in section.text
    assert "Baseline of mCE: b" in section.text


def test_without_a_clean_cell_there_is_mce_but_no_mrr(make_cell):
    found = trial_of(measure(make_cell, "a", 0.1, all_of("fog"))[1:])
    assert set(found.mce) == {"a"}
    assert not found.mrr


def test_random_weights_are_no_baseline_and_have_no_mce(make_cell):
    a = measure(make_cell, "a", 0.1, all_of("fog"), random_weights=True)
    b = measure(make_cell, "b", 0.2, all_of("fog"))
    found = trial_of([*a, *b])
    assert found.models[0].unranked == ("random weights",)
    assert found.baseline is not None
    assert found.baseline.name == "b"
    assert set(found.mce) == {"b"}


def test_too_few_severities_say_so_and_draw_a_line_all_the_same(make_cell):
    folders = measure(make_cell, "a", 0.1, [("fog", 1), ("fog", 3)])
    (chart,) = charts_of(folders)
    (line,) = chart.lines
    assert [mark.datum.x for mark in line.marks] == [0, 1, 3]
    assert line.marks[2].datum.y == pytest.approx(mean(folders[2], "abs_rel"))
    assert "No mCE and mRR" in page_of(*folders).all("section", id="robustness")[0].text


def test_lines_are_means_over_the_same_corruptions(make_cell):
    a = measure(make_cell, "a", 0.1, [("fog", 1), ("fog", 2), ("snow", 1), ("dark", 1)])
    b = measure(make_cell, "b", 0.2, [("fog", 1), ("snow", 1), ("pixelate", 1)])
    weather, noise = charts_of([*a, *b])
    first, second = weather.lines
    # dark is of one model alone, and severity 2 lacks snow
    assert [mark.datum.x for mark in first.marks] == [0, 1]
    assert first.marks[1].datum.y == pytest.approx(np.mean([mean(folder, "abs_rel") for folder in (a[1], a[3])]))
    assert second.marks[1].datum.y == pytest.approx(np.mean([mean(folder, "abs_rel") for folder in b[1:3]]))
    assert [line.name for line in noise.lines] == ["b"]


def test_of_a_cell_that_was_measured_again_the_later_counts(make_cell):
    options = {"model": "a", "protocols": ("metric",), "corruption": "fog", "severity": 2}
    late = make_cell("late", quality=0.2, finished="2026-11-23T00:00:00+00:00", **options)
    early = make_cell("early", quality=0.1, finished="2026-11-22T00:00:00+00:00", **options)
    (model,) = trial_of([late, early]).models
    assert model.means == {"fog": {2: pytest.approx(mean(late, "abs_rel"))}}


def test_corrupted_cells_alone_make_a_page(make_cell, tmp_path):
    folder = make_cell("fog", corruption="fog", severity=1)
    assert main([str(folder), "--output", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="robustness"' in page
    assert "resolution default, fog 1" in page


def test_clean_cells_have_no_such_section(make_cell):
    folder = make_cell()
    assert json.loads((folder / "manifest.json").read_text())["corruption"] == "none"
    assert not page_of(folder).all("section", id="robustness")


def test_the_families_hold_the_corruptions_that_runs_know():
    assert tuple(CORRUPTIONS) == CATALOGUE


def test_intervals_of_mce_and_mrr_hold_the_value_and_that_of_the_baseline_is_a_point(make_cell):
    a = measure(make_cell, "a", 0.1, all_of("fog"), images=30)
    b = measure(make_cell, "b", 0.15, all_of("fog"), images=30)
    found = trial_of([*a, *b])
    low, high = found.mce_intervals["b"]
    assert low < found.mce["b"] < high
    assert found.mce_intervals["a"] == pytest.approx((100, 100))
    low, high = found.mrr_intervals["b"]
    assert low < found.mrr["b"] < high
    assert not trial_of(measure(make_cell, "few", 0.1, all_of("fog"), images=9)).mce_intervals


def test_the_interval_of_mce_is_as_wide_as_drawing_images_makes_it(make_cell):
    """Against drawing the images themselves, the same for all cells."""
    folders = {name: measure(make_cell, name, q, all_of("fog"), images=60) for name, q in (("a", 0.1), ("b", 0.15))}
    values = {
        name: np.stack([[errors(one, metric) for one in own[1:]] for metric in ("abs_rel", "delta1")])
        for name, own in folders.items()
    }
    drawn = np.random.default_rng(0).integers(0, 60, (4000, 60))

    def dee2_of(name):
        abs_rel, delta1 = values[name][..., drawn].mean(axis=(1, 3))
        return (abs_rel - delta1 + 1) / 2

    expected = np.quantile(100 * dee2_of("b") / dee2_of("a"), (0.025, 0.975))
    found = trial_of([*folders["a"], *folders["b"]]).mce_intervals["b"]
    assert np.ptp(found) == pytest.approx(np.ptp(expected), rel=0.15)


def errors(folder: Path, metric: str) -> np.ndarray:
    return pq.read_table(folder / "records.parquet")[f"metric.error.{metric}"].to_numpy()


def test_a_baseline_can_be_chosen(make_cell, tmp_path, capsys):
    folders = [*measure(make_cell, "a", 0.1, all_of("fog")), *measure(make_cell, "b", 0.15, all_of("fog"))]
    output = tmp_path / "r.html"
    assert main([*map(str, folders), "--output", str(output), "--baseline", "b"]) == 0
    lines = {(one["model"], one["quantity"]): one for one in csv.DictReader((tmp_path / "robustness.csv").open())}
    assert float(lines["b", "mCE"]["value"]) == pytest.approx(100)
    assert float(lines["a", "mCE"]["value"]) < 100
    assert "| a | " in (tmp_path / "robustness.md").read_text()
    assert r"\begin{tabular}{lrrrr}" in (tmp_path / "robustness.tex").read_text()
    assert "Baseline of mCE: b, as asked for" in output.read_text()
    assert main([*map(str, folders), "--output", str(output), "--baseline", "c"]) == 1
    assert "--baseline c: expected a model with" in capsys.readouterr().err
