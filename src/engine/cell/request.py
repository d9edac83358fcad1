"""What is asked for, with types: a configuration is read once, here, and what lies behind takes no configuration."""

import dataclasses
import difflib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from src.core.errors import ConfigError
from src.engine.cell.keys import FLAG, NOTHING, TEXT, key, number, one_of, read, whole
from src.engine.cell.measurement import arithmetic, measurement, prediction, resolved
from src.engine.cell.words import LEDGER, own_words
from src.records.fingerprint import fingerprint
from src.records.schema import SAVED_PRECISIONS
from src.records.writer import dump

_GROUPS: Final = (
    *("model", "data", "protocol", "card", "trainer", "logger", "experiment", "paths", "compute", "datamodule"),
    LEDGER.lstrip("+").rstrip("="),
)
"""Keys that parts are built from, or that are read by name."""
_PATHS: Final = ("paths.data_dir", "paths.output_dir")  # read by some choices, and by hydra


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What is measured: all that can change a number.

    Attributes:
        model, data: names of the choices, as on the command line; "" of a prediction's data.
        resolution: of the network's input: default, native or pixels.
        seed: of models that draw noise.
        precision, attention, channels_last, compile, runtime: how the network computes.
        content: everything measured as it is hashed, interpolations as written.
        resolved: the same with the values of this machine, as it is recorded.
    """

    model: str
    data: str
    resolution: int | str = key(one_of("default", "native") | whole(1), 384)
    seed: int = key(whole(0), 0)
    precision: str = key(one_of("float32", "tf32", "tf32_convolutions", "float16", "bfloat16"), "bfloat16")
    attention: str = key(one_of("default", "eager", "sdpa", "flash"), "sdpa")
    channels_last: bool = key(FLAG, True)
    compile: bool = key(FLAG, True)
    runtime: str = key(one_of("torch", "onnxruntime", "openvino"), "openvino")
    content: Mapping[str, Any]
    resolved: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Name of the folder of what is measured."""
        return fingerprint(self.content)

    @property
    def of_prediction(self) -> str:
        """Fingerprint of what the model predicts, whatever it is scored by and on however many images."""
        return fingerprint(prediction(self.content))

    @property
    def arithmetic(self) -> dict[str, Any]:
        """How the network computes, where it is not as by default."""
        return arithmetic(self.content)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Which images are measured: a part of the measurement that a prediction of one's own pictures does not have.

    Attributes:
        limit: only the first so many; None for all.
        corruption: name of what is done to them, "none" for nothing.
        severity: of the corruption.
    """

    limit: int | None = key(NOTHING | whole(1), 100)
    corruption: str = key(TEXT, "fog")
    severity: int = key(whole(0), 3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a cell is run: changes speed and what is kept beside the numbers, never what is measured.

    Attributes: as conf/eval.yaml says.
    """

    batch_size: int | str = key(whole(1) | one_of("auto"), 4)
    num_workers: int = key(whole(0), 2)
    prefetch: int = key(whole(1), 2)
    cache: str | None = key(NOTHING | TEXT, "/tmp/decoded")  # noqa: S108  # an example of what to type
    on_error: str = key(one_of("raise", "skip"), "skip")
    save_predictions: str | None = key(NOTHING | one_of(*SAVED_PRECISIONS), SAVED_PRECISIONS[0])
    rescore: bool = key(FLAG, True)
    force: bool = key(FLAG, True)
    wait: float = key(number(0.0), 60)
    sync_seconds: float = key(number(0.0), 30)
    profile: bool | str = key(FLAG | one_of("trace"), True)
    panels: int = key(whole(0), 4)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest:
    """One cell that is asked for.

    Attributes:
        measured: what.
        images: of which images.
        run: how.
        card: fields of the model's card, as configured; {} for none.
        command: what the user typed for this cell, quoted for a shell.
    """

    measured: Measurement
    images: Images
    run: Running
    card: Mapping[str, Any]
    command: str


def read_cell_request(cfg: DictConfig) -> CellRequest:
    """Read the configuration of an evaluation.

    Raises:
        ConfigError: if a key is missing or has a value that it cannot have, in one line.
    """
    values = plain(cfg)
    refuse_unread(cfg, (Measurement, Images, Running), groups=_GROUPS)
    card = values.get("card") or {}
    request = CellRequest(
        measured=read_measurement(cfg, values),
        images=read(Images, values),
        run=read(Running, values),
        card=card,
        command=shlex.join(own_words(HydraConfig.get().overrides.task)),
    )
    _refuse_infinity(request.measured)
    return request


def refuse_unread(cfg: DictConfig, kinds: Sequence[type], *, groups: Sequence[str]) -> None:
    """Refuse a key of the configuration, or of its paths, that nothing reads.

    Args:
        cfg: the composed configuration.
        kinds: settings classes whose fields are read.
        groups: other keys that are read.

    Raises:
        ConfigError: names the key, and those that are alike.
    """
    known = {field.name for kind in kinds for field in dataclasses.fields(kind)} | set(groups)
    written = str(OmegaConf.to_container(cfg, resolve=False))  # what is interpolated is read
    paths = [f"paths.{key}" for key in cfg.get("paths", {})]
    keys = [*(str(key) for key in cfg if key not in known), *paths]
    unread = [key for key in keys if f"${{{key}" not in written and key not in _PATHS]
    if unread:
        alike = difflib.get_close_matches(unread[0], [*known, *_PATHS], n=3)
        meant = f"; did you mean {' or '.join(alike)}?" if alike else ""
        msg = f"{unread[0]}: expected a key that something reads, got one that nothing does{meant}"
        raise ConfigError(msg)


def read_measurement(cfg: DictConfig, values: Mapping[str, Any]) -> Measurement:
    """Read what is measured.

    Args:
        cfg: the composed configuration.
        values: its plain values, interpolations resolved.

    Raises:
        ConfigError: as `read_cell_request`.
    """
    choices = HydraConfig.get().runtime.choices
    return read(
        Measurement,
        values,
        model=str(choices["model"]),
        data=str(choices.get("data", "")),
        content=measurement(cfg),
        resolved=resolved(cfg),
    )


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Return the plain values of a configuration, interpolations resolved."""
    values: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]  # a mapping
    return values


def _refuse_infinity(measured: Measurement) -> None:
    try:
        dump(measured.content)
    except ValueError as error:
        msg = (
            "the configuration holds .inf or .nan, which the results (JSON) have no word for; write a number that no "
            "depth reaches, such as depth_range: [0.001, 1.0e+6]"
        )
        raise ConfigError(msg) from error
