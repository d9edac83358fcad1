"""Evaluate depth models: `python -m src.eval model=<model> data=<data>`; `--help` lists the choices."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from src.engine.command_line import execute
from src.engine.measurement import register_resolvers

CONF = Path(__file__).parents[1] / "conf"


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="eval")
def evaluate(cfg: DictConfig) -> None:
    """Run the cell of this configuration; hydra calls it once, or once per cell of a sweep."""
    from src.engine.job import run_job  # importing torch takes seconds that --help need not pay

    run_job(cfg)


if __name__ == "__main__":
    register_resolvers()
    sys.exit(execute(evaluate, conf=CONF, config="eval", arguments=sys.argv))
