"""A folder belongs to one measurement, whatever decides which folder it is."""

import pytest

from src.core.errors import ConfigError
from src.engine.cell import run as module
from src.records.status import noted

pytestmark = pytest.mark.usefixtures("unchecked")
DATA = ("data=ragged", "protocol=[metric]", "panels=0")


def test_a_finished_cell_of_another_measurement_is_neither_shown_nor_overwritten(run, outside, tmp_path):
    here = f"hydra.run.dir={tmp_path}/here"
    first = run("model=broken", *DATA, here, conf=outside)

    for words in (
        ("model=broken", "data.n=5"),
        ("model=half",),
        ("model=broken", "seed=1"),
        ("model=half", "force=true"),
    ):
        with pytest.raises(ConfigError, match="holds results of another measurement") as caught:
            run(*words[:1], *DATA, *words[1:], here, conf=outside)
    assert "model._target_: outside.Broken -> outside.Half" in str(caught.value)
    assert run("model=broken", *DATA, here, conf=outside).manifest == first.manifest


def test_an_interrupted_cell_does_not_go_on_with_another_measurement(run, outside, tmp_path, monkeypatch):
    here = f"hydra.run.dir={tmp_path}/here"
    monkeypatch.setattr(module, "close_cell", stopping)
    with pytest.raises(KeyboardInterrupt):
        run("model=broken", *DATA, here, conf=outside)
    monkeypatch.undo()
    assert noted(tmp_path / "here")["state"] == "running"

    with pytest.raises(ConfigError, match=r"another measurement \(.*data\.n: 7 -> 6"):
        run("model=broken", *DATA, "data.n=6", here, conf=outside)
    cell = run("model=broken", *DATA, here, conf=outside)
    assert cell.manifest.scored == {"metric": 7}


def stopping(*_, **__):
    raise KeyboardInterrupt
