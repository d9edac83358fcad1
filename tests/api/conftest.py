"""Maps and cells that what users import is tried on."""

from pathlib import Path

import numpy as np
import pytest

from src.engine.cell.build import Builder
from src.engine.cell.request import read_cell_request
from src.engine.cell.run import run_cell
from src.records.reader import Cell
from tests.composing import compose_job


@pytest.fixture(scope="session")
def maps():
    """Make predicted and true depth (b, h, w) float32, and a mask."""

    def make(seed=0, shape=(5, 12, 17)):
        rng = np.random.default_rng(seed)
        depth = rng.uniform(0.5, 9, shape).astype(np.float32)
        prediction = (depth * np.exp(0.2 * rng.normal(size=shape))).astype(np.float32)
        return prediction, depth, rng.random(shape) < 0.8

    return make


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Cell:
    """A finished cell of the built-in photograph with its predictions, scored under four protocols."""
    output = tmp_path_factory.mktemp("outputs")
    protocols = "[affine_disparity,depth_anything_relative,midas,genpercept_disparity]"
    words = ["model=ramp", "data=sample", f"protocol={protocols}", "save_predictions=float32", "num_workers=0"]
    cfg, folder = compose_job("eval", [*words, f"paths.output_dir={output}", "panels=0"])
    cell = run_cell(read_cell_request(cfg), Builder(cfg), Path(folder))
    assert cell is not None
    return cell
