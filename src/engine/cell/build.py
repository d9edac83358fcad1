"""Configuration to objects: the only place that instantiates."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from omegaconf import DictConfig

from src.core.errors import ConfigError, LeadlineError
from src.engine.publishing.publish import Logger
from src.protocol import EvalProtocol

# of hydra and Python
_UNKNOWN_KEY = re.compile(r"target '(?P<target>[\w.]+)'.*unexpected keyword argument '(?P<key>\w+)'", re.DOTALL)


def build_model(cfg: DictConfig) -> LightningModule:
    """Build the model of `cfg.model`; weights are read later, in the process that uses them.

    Raises:
        ConfigError: if it cannot be built, or cannot compute as `cfg.compute` says.
    """
    if cfg.trainer.precision != "32-true":
        msg = (
            f"trainer.precision={cfg.trainer.precision}: expected 32-true; half precision makes other digits, so it is "
            "named as a part of the measurement: precision=bfloat16 or float16"
        )
        raise ConfigError(msg)
    model = _instantiate(cfg.model, "model", LightningModule)
    model.compute = _instantiate(cfg.compute, "compute", object)  # type: ignore[assignment]
    return model


def build_datamodule(cfg: DictConfig) -> LightningDataModule:
    """Build the data module of `cfg.datamodule` with the data set of `cfg.data`."""
    return _instantiate(cfg.datamodule, "data", LightningDataModule)


def build_protocols(cfg: DictConfig) -> dict[str, EvalProtocol]:
    """Build the protocols of `cfg.protocol`, by name."""
    return {name: _instantiate(node, f"protocol {name}", EvalProtocol) for name, node in cfg.protocol.items()}


def build_trainer(cfg: DictConfig, callbacks: Sequence[Callback]) -> Trainer:
    """Build the trainer of `cfg.trainer`."""
    return _instantiate(cfg.trainer, "trainer", Trainer, callbacks=list(callbacks))


def build_logger(cfg: DictConfig) -> Logger:
    """Build the logger of `cfg.logger`."""
    return _instantiate(cfg.logger, "logger", Logger)


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
