"""Which other processes this one belongs to: those that were started beside it, and the one that started it."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from src.core.errors import ConfigError
from src.core.parent import watch_parent

_GRACE: Final = 30.0
"""Seconds that an orphan has to finish its batch."""
_RANKS: Final = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
_WORLDS: Final = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def follow_parent(stop: Path | None = None) -> None:
    """Have this process end when the one that started it does, however that dies, or when a file appears.

    It is asked to stop as by a scheduler, after its batch, and killed if it has not done so within half a minute: an
    orphan may wait for others for ever.

    Args:
        stop: appears when the parent wants its children to stop.
    """

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os.kill(os.getpid(), signal.SIGKILL)

    watch_parent(end, wanted=lambda: stop is not None and stop.exists())


def refuse_company(devices: object, nodes: object, strategy: object, *, env: Mapping[str, str] | None = None) -> None:
    """Refuse a trainer for one process where several were started, or where variables say so that were left over.

    Every process but the first would compute everything and leave no result.

    Args:
        devices: of the trainer, as configured.
        nodes: likewise.
        strategy: likewise.
        env: variables of the environment; those of this process unless given.

    Raises:
        ConfigError: names the variables, and what to type.
    """
    env = os.environ if env is None else env
    if (devices, nodes, strategy) != (1, 1, "auto"):
        return
    said = [f"{name}={env[name]}" for name in (*_RANKS, *_WORLDS) if _number(env.get(name)) is not None]
    rank = max((_number(env.get(name)) or 0 for name in _RANKS), default=0)
    world = max((_number(env.get(name)) or 1 for name in _WORLDS), default=1)
    if rank > 0 or world > 1:
        msg = (
            f"{' '.join(said)}: expected a trainer for several processes, got one for one; add trainer=ddp, "
            f"or type `unset {' '.join(word.partition('=')[0] for word in said)}` if another program has left that over"
        )
        raise ConfigError(msg)


def on_signals(act: Callable[[], None]) -> Callable[[], None]:
    """Do something in place of dying when asked to stop; returns what gives the signals back."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: act()) for number in numbers}

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return give_back


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None
