"""Run cells in this process, below a temporary folder."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import jaxtyping
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.request import read_cell_request
from src.engine.cell.run import run_cell
from src.engine.prediction.predict import run_prediction
from src.engine.prediction.request import read_prediction_request
from tests.composing import CONF, compose_job

OUTSIDE = '''
import torch

from src.core.errors import DataError
from src.core.prediction import OutputSpace
from src.model.base import DepthModel, Provenance
from src.data.base import DepthDataset, Frame
import numpy as np


class Broken(DepthModel):
    """Predicts the constant 2 m, but NaN on images whose name is listed."""

    space = OutputSpace.METRIC_DEPTH

    def __init__(self, *, broken):
        super().__init__()
        self.broken = set(broken)

    def load(self):
        pass

    def input_size(self, size):
        return size

    def infer(self, image, sample_id):
        values = torch.full((len(sample_id), 1, *image.shape[-2:]), 2.0)
        for row, name in enumerate(sample_id):
            if name in self.broken:
                values[row, 0, 0, 0] = torch.nan
        return values

    @property
    def provenance(self):
        return Provenance(weights="none")


class WrongShape(Broken):
    def infer(self, image, sample_id):
        return torch.ones(len(sample_id), *image.shape[-2:])


class Half(Broken):
    """A network in half precision that predicts 13 km per step of grey: 65 km still fit, 78 km overflow."""

    def load(self):
        self.layer = torch.nn.Conv2d(3, 1, 1).half().requires_grad_(False)
        self.layer.weight.fill_(13000 / 3)
        self.layer.bias.zero_()

    def infer(self, image, sample_id):
        return self.layer(image.half())


class Ragged(DepthDataset):
    """n images of three sizes whose depth is 1, 2, 3 ... metres; number `empty` has no ground truth.

    One pixel of each is the next smaller number, so that two unknowns can be fitted.
    """

    def __init__(self, *, n, empty, unreadable):
        super().__init__(depth_range=(0.1, 100.0))
        self.n, self.empty, self.unreadable = n, empty, unreadable

    def index(self):
        return [f"image/{i}" for i in range(self.n)]

    def read(self, i):
        if i == self.unreadable:
            raise DataError("image/%d.png: expected a PNG, got garbage" % i)
        size = (4, 5 + i % 3)
        depth = np.full(size, 0.0 if i == self.empty else i + 1.0, np.float32)
        depth[-1, -1] = np.nextafter(depth[-1, -1], np.float32(0))
        return Frame(image=np.full((*size, 3), i, np.uint8), depth=depth, slice="even" if i % 2 == 0 else "odd")
'''
YAMLS = {
    "model/broken.yaml": "# constant\n_target_: outside.Broken\nbroken: []\n",
    "model/wrong_shape.yaml": "# no channel axis\n_target_: outside.WrongShape\nbroken: []\n",
    "model/half.yaml": "# overflows\n_target_: outside.Half\nbroken: []\n",
    "data/ragged.yaml": "# sizes differ\n_target_: outside.Ragged\nn: 7\nempty: null\nunreadable: null\n",
}


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """Return a function that makes code from outside the checkout importable, and gives a folder for --config-dir.

    It takes the module's name and text, and the yamls by their path in that folder.
    """
    code, conf, made = tmp_path / "code", tmp_path / "conf", []

    def own_code(module: str, text: str, yamls: Mapping[str, str]) -> Path:
        code.mkdir(exist_ok=True)
        (code / f"{module}.py").write_text(text)
        made.append(module)
        for name, content in yamls.items():
            (conf / name).parent.mkdir(parents=True, exist_ok=True)
            (conf / name).write_text(content)
        return conf

    monkeypatch.syspath_prepend(str(code))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(code), str(CONF.parent)]), prepend=os.pathsep)
    yield own_code
    for module in made:
        sys.modules.pop(module, None)


@pytest.fixture
def outside(own_code):
    """A model and a data set from outside the checkout."""
    return own_code("outside", OUTSIDE, YAMLS)


def job(config: str, words: Sequence[str], outputs: Path, conf: Path | None = None) -> tuple[DictConfig, Path]:
    """Compose as hydra does for one job, and return the configuration and the folder that hydra makes for it."""
    overrides = [f"paths.output_dir={outputs}", "trainer=cpu", "num_workers=0"]
    if conf is not None:
        overrides.append(f"hydra.searchpath=[file://{conf}]")
    return compose_job(config, [*overrides, *words])


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a cell in this process from command-line words."""

    def run(*words: str, conf: Path | None = None, outputs: str = "outputs", loaded: LoadedModel | None = None):
        cfg, folder = job("eval", words, tmp_path / outputs, conf)
        return run_cell(read_cell_request(cfg), Builder(cfg), folder, loaded)

    yield run
    HydraConfig.instance().cfg = None


@pytest.fixture
def unchecked():
    """Runs without the check of all shapes at every call, which takes more time than the calls.

    For what is about disks, signals and processes: whole runs, resumed ones too, are checked in test_run.
    """
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def configure(tmp_path):
    """Return a function that composes the configuration of a cell from command-line words."""

    def configure(*words: str) -> DictConfig:
        return job("eval", words, tmp_path / "outputs")[0]

    yield configure
    HydraConfig.instance().cfg = None


@pytest.fixture
def predict(tmp_path):
    """Return a function that predicts for pictures in this process from command-line words."""

    def predict(*words: str, conf: Path | None = None):
        cfg, folder = job("predict", words, tmp_path / "outputs", conf)
        return run_prediction(read_prediction_request(cfg), Builder(cfg), folder)

    yield predict
    HydraConfig.instance().cfg = None
