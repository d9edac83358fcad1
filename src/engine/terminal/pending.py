"""Say of every cell of a sweep that it is pending, before the first one starts."""

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.core.errors import ConfigError
from src.engine.cell.lock import is_held
from src.engine.cell.words import own_words
from src.engine.terminal.secrets import Refused, refuse_secrets
from src.records.reader import is_complete
from src.records.status import note

log = logging.getLogger(__name__)


class PendingCells(Callback):
    """Notes each cell that a sweep is going to run; hydra calls it once, where the command was given, before it writes.

    Cells that are finished, or that a process is running now, keep their state. What is wrong with the command line is
    left to the sweep itself to say.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Note the cells of this sweep.

        Raises:
            Refused: if a configuration, which hydra is about to write, holds a key.
        """
        _refuse(config)
        if not str(config.hydra.sweeper._target_).endswith(f".{BasicSweeper.__name__}"):
            return  # another sweeper chooses its cells as it goes
        before = HydraConfig.instance().cfg
        try:
            cells = list(_cells(config))
            for _folder, cell in cells:
                _refuse(cell)
            for folder, cell in cells:
                if not is_complete(folder) and not is_held(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                    note(folder, state="pending", command=shlex.join(own_words(cell.hydra.overrides.task)))
        except (HydraException, OmegaConfBaseException, OSError) as error:
            log.debug("The cells of this sweep were not noted as pending: %s", error)
        finally:
            HydraConfig.instance().cfg = before


def _refuse(config: DictConfig) -> None:
    try:
        refuse_secrets(config, resolve=False)
    except ConfigError as error:
        raise Refused(error) from error


def _cells(config: DictConfig) -> Iterator[tuple[Path, DictConfig]]:
    """Yield the folder and the configuration of each cell, as hydra's sweeper and launchers make them."""
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None  # noqa: S101  # it is what calls this
    loader: ConfigLoader = hydra.config_loader
    swept = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    words = [*swept, *OmegaConf.to_container(config.hydra.overrides.task, resolve=False)]  # type: ignore[misc]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(words)
    for batch in BasicSweeper.split_arguments(overrides, None):
        for job in batch:
            cell = loader.load_sweep_config(config, list(job))
            HydraConfig.instance().set_config(cell)
            folder = Path(OmegaConf.select(cell, "hydra.sweep.dir"), OmegaConf.select(cell, "hydra.sweep.subdir"))
            yield folder, cell
