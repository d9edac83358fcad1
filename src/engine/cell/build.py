"""Configuration to objects: the only place that instantiates."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf

from src.core.errors import ConfigError, LeadlineError
from src.core.secrets import redacted_values
from src.engine.publishing.publish import Logger
from src.protocol.evaluation import EvalProtocol

# of hydra and Python
_UNKNOWN_KEY = re.compile(r"target '(?P<target>[\w.]+)'.*unexpected keyword argument '(?P<key>\w+)'", re.DOTALL)


class Builder:
    """Makes the parts of one run from its configuration, which nothing else of the engine sees.

    Args:
        cfg: the composed configuration.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self._cfg = cfg

    def model(self) -> LightningModule:
        """Build the model; weights are read later, in the process that uses them.

        Raises:
            ConfigError: if it cannot be built, or cannot compute as asked.
        """
        precision = str(self._cfg.trainer.precision)
        if precision != "32-true":
            msg = (
                f"trainer.precision={precision}: expected 32-true; half precision makes other digits, so it is named "
                "as a part of the measurement: precision=bfloat16 or float16"
            )
            raise ConfigError(msg)
        model = _instantiate(self._cfg.model, "model", LightningModule)
        model.compute = _instantiate(self._cfg.compute, "compute", object)  # type: ignore[assignment]
        return model

    def datamodule(self) -> LightningDataModule:
        """Build the data module with its data set."""
        return _instantiate(self._cfg.datamodule, "data", LightningDataModule)

    def protocols(self) -> dict[str, EvalProtocol]:
        """Build the protocols, by name."""
        return build_protocols(self._cfg.protocol)

    def trainer(self, callbacks: Sequence[Callback]) -> Trainer:
        """Build the trainer."""
        return _instantiate(self._cfg.trainer, "trainer", Trainer, callbacks=list(callbacks))

    def exporter(self) -> Any:
        """Build what writes a network as a file."""
        return _instantiate(self._cfg.exporter, "exporter", object)

    def logger(self) -> Logger:
        """Build the logger."""
        return _instantiate(self._cfg.logger, "logger", Logger)

    def limited_to(self, images: int | None) -> "Builder":
        """Return a builder of the same parts for so many images; None for all."""
        return Builder(OmegaConf.merge(self._cfg, {"limit": images}))  # type: ignore[arg-type]  # a mapping

    def settings(self, *, without: Collection[str] = ()) -> dict[str, Any]:
        """Return the plain values that the parts are made from, but for some keys."""
        values: Any = OmegaConf.to_container(self._cfg, resolve=True)
        return {str(key): value for key, value in values.items() if key not in without}

    def write(self, path: Path) -> None:
        """Write all values, interpolations resolved, as YAML; keys are refused long before, and none is written."""
        OmegaConf.save(OmegaConf.create(redacted_values(self.settings())), path)


def build_protocols(configured: DictConfig) -> dict[str, EvalProtocol]:
    """Build protocols by name, as in the group `protocol`.

    Raises:
        ConfigError: if one cannot be built.
    """
    by_name: dict[str, DictConfig] = {str(name): node for name, node in configured.items()}
    return {name: _instantiate(node, f"protocol {name}", EvalProtocol) for name, node in by_name.items()}


_Kind = TypeVar("_Kind")


def _instantiate(node: DictConfig, what: str, kind: type[_Kind], **extra: Any) -> _Kind:
    try:
        built = instantiate(node, **extra)
    except InstantiationException as error:
        # hydra wraps what the constructor raised; a message meant for the user must reach the user
        if isinstance(error.__cause__, LeadlineError):
            raise error.__cause__ from None
        unknown = _UNKNOWN_KEY.search(str(error))
        if unknown is not None:
            msg = f"{what}: {unknown['target']} takes no key {unknown['key']!r}; set it only where the choice has it"
            raise ConfigError(msg) from error
        reason = "" if error.__cause__ is None else f": {error.__cause__}"
        msg = f"{what}: cannot be built from its configuration: {error}{reason}"
        raise ConfigError(msg) from error
    if not isinstance(built, kind):
        msg = f"{what}: expected _target_ to name a {kind.__name__}, got {type(built).__name__}"
        raise ConfigError(msg)
    return built
