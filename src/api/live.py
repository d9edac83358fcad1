"""A callable of the caller's as a model: nothing has to be importable, and nothing is registered."""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import nn

from src.core.errors import ConfigError
from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.model.families.external import External


class Live(LoadedModel):
    """Hands the engine a model whose network is at hand, in place of one that a factory would make.

    Args:
        network: called with an image, or a batch where `model.together` says so.
    """

    def __init__(self, network: Callable[..., Any]) -> None:
        super().__init__()
        self._network = network

    def get(self, build: Builder) -> External:
        """Return the model that the configuration describes, around the network."""
        model = build.model()
        if not isinstance(model, External):
            msg = f"a callable is run as model=callable, got {type(model).__name__}"
            raise ConfigError(msg)
        model.find_factory = lambda: lambda: self._network  # type: ignore[method-assign]
        return model


def named(network: Callable[..., Any]) -> str:
    """Say where a callable comes from, as records keep it."""
    kind = type(network) if isinstance(network, nn.Module) or not hasattr(network, "__qualname__") else network
    return f"{kind.__module__}:{kind.__qualname__}"


@contextlib.contextmanager
def as_choice(network: Callable[..., Any], name: str) -> Iterator[list[str]]:
    """Make a callable a choice of the group `model` under a name; gives the words that have hydra find it.

    Raises:
        ConfigError: if the name cannot be that of a folder.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        msg = f"name: expected letters, digits, _, - and ., since a folder is called so, got {name!r}"
        raise ConfigError(msg)
    with tempfile.TemporaryDirectory() as place:
        group = Path(place, "model")
        group.mkdir()
        (group / f"{name}.yaml").write_text(
            f"defaults: [callable, _self_]\nfactory: {named(network)!r}\n", encoding="utf-8"
        )
        yield [f"hydra.searchpath=[file://{place}]", f"model={name}"]
