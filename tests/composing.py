"""Compose a job's configuration as hydra does on the command line: for tests and benchmarks in this process."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from src.engine.cell.measurement import register_resolvers

CONF = Path(__file__).parents[1] / "conf"


def compose_job(config: str, words: Sequence[str]) -> tuple[DictConfig, Path]:
    """Return the configuration of one job and the folder that hydra makes for it."""
    register_resolvers()
    quiet = ("hydra.mode=RUN", "trainer.enable_progress_bar=false")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(config, [*quiet, *words], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    folder = Path(cfg.hydra.run.dir)
    folder.mkdir(parents=True, exist_ok=True)
    cfg = OmegaConf.create(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, folder
