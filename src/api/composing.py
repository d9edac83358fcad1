"""A job's configuration composed in this process, as the command line composes it from its words."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from src.core.errors import ConfigError
from src.core.shipped import CONF
from src.engine.cell.measurement import register_resolvers
from src.engine.terminal.explain import explain
from src.engine.terminal.secrets import refuse_secret_words

_WORD = re.compile(r"[A-Za-z_]\w*(?<!null)(?<!true)(?<!false)")

Choice = str | Mapping[str, Any]
"""A choice of the command line, such as "midas"; or its name with keys of it, {"name": "saved", "folder": ...}."""


def words(**settings: Any) -> list[str]:
    """Spell settings as the words of a command line.

    >>> words(model="midas", data={"name": "folder", "images": "a b"}, protocol=["metric"], limit=None)
    ['model=midas', 'data=folder', "data.images='a b'", 'protocol=[metric]', 'limit=null']
    """
    spelt: list[str] = []
    for key, value in settings.items():
        if not isinstance(value, Mapping):
            spelt.append(f"{key}={_spelt(value)}")
            continue
        name = [f"{key}={_spelt(value['name'])}"] if "name" in value else []
        keys = [f"{key}.{inner}={_spelt(held)}" for inner, held in value.items() if inner != "name"]
        spelt.extend([*name, *keys])
    return spelt


@contextlib.contextmanager
def composed(config: str, overrides: Sequence[str]) -> Iterator[tuple[DictConfig, Path]]:
    """Compose a job and let it be the one at hand; gives its configuration and its folder, which is made.

    Args:
        config: name of the primary configuration: eval or predict.
        overrides: as on the command line.

    Raises:
        ConfigError: if the configuration cannot be composed, holds a key, or a value in it cannot be resolved.
    """
    refuse_secret_words(overrides)
    register_resolvers()
    job = HydraConfig.instance()
    before = job.cfg
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(config, ["hydra.mode=RUN", *overrides], return_hydra_config=True)
        job.set_config(cfg)
        folder = Path(cfg.hydra.run.dir)
        own = OmegaConf.create(cfg)
        with open_dict(own):
            del own["hydra"]
        yield own, folder
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, CONF) or str(error)) from error
    finally:
        job.cfg = before


def _spelt(value: Any) -> str:
    """Spell a value in the grammar of hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(_spelt(inner) for inner in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_spelt(inner)}' for key, inner in value.items())}}}"
    if not isinstance(value, str | Path):
        return str(value)
    # of what is quoted only quotes, and backslashes right before one, mean something else
    text = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (r"\'" if found[2] else ""), str(value))
    return text if _WORD.fullmatch(text) else f"'{text}'"
