import numpy as np
import pyarrow.parquet as pq
import pytest

from src.records.reader import read_cell
from src.report.findings.leaderboard import build_tables
from src.report.findings.seeds import spreads
from tests.report.drawing.test_page import page_of


def cells(make_cell, qualities):
    def config(seed: int, steps: int):
        return {"model": {"steps": steps, "seed": seed}, "data": {}, "seed": seed}

    found = [
        make_cell(
            f"s{seed}", model="marigold", seed=seed, quality=quality, config=config(seed, 4), protocols=("metric",)
        )
        for seed, quality in qualities.items()
    ]
    other = make_cell("other", model="marigold", seed=0, quality=0.3, config=config(0, 1), protocols=("metric",))
    return [*found, other]


def test_the_spread_is_over_cells_that_differ_in_the_seed_alone(make_cell):
    folders = cells(make_cell, {0: 0.1, 1: 0.11, 7: 0.105})
    (found,) = spreads(build_tables([read_cell(folder) for folder in folders]))
    means = [pq.read_table(folder / "records.parquet")["metric.error.abs_rel"].to_numpy().mean() for folder in folders]
    assert found.name == "marigold steps=4"
    assert found.seeds == (0, 1, 7)
    assert found.means == pytest.approx(means[:3])
    assert found.centre == pytest.approx(np.mean(means[:3]))
    assert found.deviation == pytest.approx(np.std(means[:3], ddof=1))


def test_a_model_without_noise_says_so(make_cell):
    page = page_of(*cells(make_cell, {0: 0.1, 1: 0.1}))
    (section,) = page.all("section", id="seeds")
    assert "none: the model draws no noise" in section.text


def test_one_seed_is_no_section(make_cell):
    assert not page_of(make_cell()).all("section", id="seeds")
