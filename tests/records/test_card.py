"""A card is whole or refused."""

import pytest

from src.core.errors import ConfigError
from src.records.card import parse_card

CARD = {
    "family": "midas", "encoder": "BEiT-L", "decoder": "DPT", "parameters_m": 344.0, "output_space": "affine_disparity",
    "licence": "MIT", "paper": "unknown", "repository": "unknown", "year": 2022, "pretraining": "unknown",
    "training_data": ["nyu", "kitti"],
}  # fmt: skip


def test_a_card_keeps_what_it_is_given():
    card = parse_card(CARD, of="m")
    assert (card.family, card.parameters_m, card.training_data) == ("midas", 344.0, ["nyu", "kitti"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "not known ['colour']"),
        ({"training_data": "nyu"}, "training_data to be list[str], got 'nyu'"),
        ({"training_data": [1]}, "training_data"),
        ({"year": "2022"}, "year"),
        ({"family": None}, "family"),
    ],
)
def test_a_damaged_card_is_refused_by_name(change, words):
    with pytest.raises(ConfigError) as caught:
        parse_card({**CARD, **change}, of="m")
    assert str(caught.value).startswith("card of m: ")
    assert words in str(caught.value)


def test_a_missing_field_is_named():
    with pytest.raises(ConfigError, match=r"missing \['licence'\]"):
        parse_card({key: value for key, value in CARD.items() if key != "licence"}, of="m")
