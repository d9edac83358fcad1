"""Predict depth for your own pictures: `python -m src.predict model=<model> images=<folder>`; `--help` says more."""

import sys

import hydra
from omegaconf import DictConfig

from src.core.shipped import CONF
from src.engine.cell.measurement import register_resolvers
from src.engine.terminal.command_line import execute


def main() -> int:
    """Run the command line and return its exit code."""
    failures: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="predict")
    def predict(cfg: DictConfig) -> None:
        """Predict with this configuration; hydra calls it once, or once per model of a sweep."""
        from src.engine.prediction.predict import predict_and_show
        from src.engine.terminal.job import run_job  # importing torch takes seconds that --help need not pay

        run_job(cfg, predict_and_show, failures=failures)

    register_resolvers()
    return execute(predict, conf=CONF, config="predict", arguments=sys.argv, failures=failures)


if __name__ == "__main__":
    sys.exit(main())
