"""Session: what every process of a run does beside its work, from the first word with the others to the last signal."""

import logging
import time
from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer

from src.core.errors import ConfigError
from src.engine.process import advice
from src.engine.process.allocation import keep_freed_memory
from src.engine.process.environment import make_repeatable, quieten
from src.engine.process.family import follow_parent
from src.engine.process.interrupt import Interrupt
from src.engine.process.processes import Others

log = logging.getLogger(__name__)


class Session(Callback):
    """Makes arithmetic repeatable, has all processes do the same, and stops them between two batches on request.

    To be the last of the callbacks, so that a batch has been dealt with when it looks for a request.

    Args:
        fingerprint: of what is computed; processes that disagree on it refuse to work together.
        precision: of the network's arithmetic, see `make_repeatable`.
        channels_last: whether kernels of convolutions lie so.
        clock: seconds from any origin.
    """

    def __init__(
        self,
        *,
        fingerprint: str,
        precision: str,
        channels_last: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fingerprint = fingerprint
        self.precision = precision
        self.channels_last = channels_last
        self._clock = clock
        self._started = clock()
        self._interrupt = Interrupt()
        self._others: Others | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that all processes compute the same, and share what process 0 knows to be done.

        Raises:
            ConfigError: if they were given different command lines.
        """
        if trainer.global_rank > 0:
            follow_parent()
        agreed = trainer.strategy.broadcast(self.fingerprint)
        if agreed != self.fingerprint:
            msg = (
                f"process {trainer.global_rank} was given measurement {self.fingerprint}, process 0 {agreed}: their "
                "command lines differ; start all processes with the same one"
            )
            raise ConfigError(msg)
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        datamodule.done = trainer.strategy.broadcast(datamodule.done)
        quieten()
        keep_freed_memory()
        make_repeatable(self.precision, trainer.strategy.root_device)
        self._say(trainer, advice.before(self.precision, self.channels_last, trainer.strategy.root_device))

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to signals from now on."""
        self._started = self._clock()
        self._others = Others(trainer)
        self._interrupt.watch(self._others.unobserve)

    def on_predict_batch_end(self, *_: object) -> None:
        """Stop here if a signal has come.

        Raises:
            Interrupted: if so.
        """
        self._interrupt.check()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Return when every process has done its share."""
        self._interrupt.unwatch()
        self._say(trainer, advice.after(self.precision, pl_module, self._clock() - self._started))
        trainer.strategy.barrier()

    @staticmethod
    def _say(trainer: Trainer, words: str | None) -> None:
        if words is not None and trainer.is_global_zero:
            log.warning(words)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back, and stop the other processes."""
        self._interrupt.unwatch()
        if self._others is not None:
            self._others.stop()
