"""Evaluate depth models: `python -m src.eval model=<model> data=<data>`; `--help` lists the choices."""

import sys

import hydra
from omegaconf import DictConfig

from src.core.shipped import CONF
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.measurement import register_resolvers
from src.engine.terminal.command_line import execute


def main() -> int:
    """Run the command line and return its exit code."""
    loaded = LoadedModel()
    failures: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="eval")
    def evaluate(cfg: DictConfig) -> None:
        """Run the cell of this configuration; hydra calls it once, or once per cell of a sweep."""
        from src.engine.terminal.job import run_job  # importing torch takes seconds that --help need not pay

        run_job(cfg, loaded=loaded, failures=failures)

    register_resolvers()
    return execute(evaluate, conf=CONF, config="eval", arguments=sys.argv, failures=failures)


if __name__ == "__main__":
    sys.exit(main())
