"""What is asked for of `python -m src.predict`, with types."""

import dataclasses

from omegaconf import DictConfig

from src.engine.cell.keys import FLAG, NOTHING, TEXT, key, number, numbers, one_of, read, some_of, whole
from src.engine.cell.request import Measurement, plain, read_measurement, refuse_unread
from src.engine.prediction.map_files import FORMATS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Where and how predictions of one's own pictures are written.

    Attributes: as conf/predict.yaml says.
    """

    images: str = key(TEXT, "photos")
    intrinsics: list[float] | None = key(NOTHING | numbers(4), [600, 600, 320, 240])
    field_of_view: float | None = key(NOTHING | number(0.0, 180.0, inclusive=False), 60)
    write: list[str] = key(some_of(*FORMATS), ["npy", "colour"])
    output: str = key(TEXT, "predictions")
    batch_size: int | str = key(whole(1) | one_of("auto"), 1)
    num_workers: int = key(whole(0), 1)
    force: bool = key(FLAG, True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """Predictions of one's own pictures that are asked for.

    Attributes:
        measured: what is predicted.
        run: how it is written.
        shows_progress: whether a bar is drawn.
    """

    measured: Measurement
    run: Writing
    shows_progress: bool


def read_prediction_request(cfg: DictConfig) -> PredictionRequest:
    """Read the configuration of a prediction.

    Raises:
        ConfigError: if a key is missing or has a value that it cannot have, in one line.
    """
    values = plain(cfg)
    refuse_unread(cfg, (Measurement, Writing), groups=("model", "trainer", "paths", "compute", "datamodule"))
    return PredictionRequest(
        measured=read_measurement(cfg, values),
        run=read(Writing, values),
        shows_progress=bool(cfg.trainer.enable_progress_bar),
    )
