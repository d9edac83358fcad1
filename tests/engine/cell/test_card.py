"""What the manifest says about the model and the data set, and that it is no part of the measurement."""

import pytest

from src.core.errors import ConfigError
from src.records.reader import read_cell

CARD = """# of broken
family: broken
encoder: none
decoder: none
parameters_m: 0
output_space: metric_depth
licence: unknown
paper: unknown
repository: unknown
year: 2031
pretraining: none
training_data: [nyu]
"""


def test_a_model_from_outside_brings_its_card_or_none(run, outside):
    without = run("model=broken", "data=ragged", conf=outside)
    (outside / "card").mkdir()
    (outside / "card" / "broken.yaml").write_text(CARD)
    cell = run("model=broken", "data=ragged", "force=true", conf=outside)

    assert without.manifest.card == {}
    assert cell.manifest.card["training_data"] == ["nyu"]
    assert cell.folder == without.folder
    assert read_cell(cell.folder).manifest.card == cell.manifest.card


def test_the_manifest_names_the_family_of_the_data(run):
    assert run("model=ramp", "data=synthetic_small", "limit=1").manifest.data_family == "synthetic"


def test_a_damaged_card_stops_the_run_before_it_starts(run, outside):
    with pytest.raises(ConfigError, match=r"card of ramp: .*not known \['colour'\]"):
        run("model=ramp", "data=ragged", "+card.colour=red", conf=outside)
    assert not list(outside.parent.glob("outputs/**/records*"))
