"""Model cards: what is known about a network besides its numbers, above all what it was trained on."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from src.core.errors import ConfigError

UNKNOWN = "unknown"
"""In place of any word of a card, and alone in place of its training data: better than a guess."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What the authors of a model say about it. Describes the published checkpoint, whatever `weights` a run was given.

    Attributes:
        family: models of one name and successive versions share it.
        encoder, decoder: the two parts of the network.
        parameters_m: millions of parameters of the network as it is run; 0 where unknown.
        output_space: value of an `OutputSpace`.
        licence: of the weights; says so where two sources disagree.
        paper, repository: addresses.
        year: in which the weights were released; 0 where unknown.
        pretraining: what the encoder was initialised with; no depth was learnt there.
        training_data: family names of the data sets that depth was learnt from, directly or through a teacher, such as
            nyu or kitti: on these a result is in-domain.
    """

    family: str
    encoder: str
    decoder: str
    parameters_m: float
    output_space: str
    licence: str
    paper: str
    repository: str
    year: int
    pretraining: str
    training_data: list[str]


def parse_card(content: Mapping[str, Any], *, of: str) -> ModelCard:
    """Return the card that a configuration gives.

    Args:
        content: plain values, as in `conf/card`.
        of: name of the model, for messages.

    Raises:
        ConfigError: if a field is missing, unknown or of another type.
    """
    fields = {field.name: field.type for field in dataclasses.fields(ModelCard)}
    missing, surplus = sorted(fields.keys() - content.keys()), sorted(content.keys() - fields.keys())
    if missing or surplus:
        msg = f"card of {of}: expected {', '.join(fields)}; missing {missing}, not known {surplus}"
        raise ConfigError(msg)
    kinds: dict[str, type | tuple[type, ...]] = {"parameters_m": (int, float), "year": int, "training_data": list}
    for name, value in content.items():
        kind = kinds.get(name, str)
        words = value if isinstance(value, list) else ()
        if not isinstance(value, kind) or not all(isinstance(word, str) for word in words):
            msg = f"card of {of}: expected {name} to be {fields[name]}, got {value!r}"
            raise ConfigError(msg)
    return ModelCard(**{**content, "parameters_m": float(content["parameters_m"])})
