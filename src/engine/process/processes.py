"""The other processes of a run that started them from its command line (trainer=ddp)."""

import signal
import subprocess

from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

_SECONDS_FOR_A_BATCH = 60.0


class Others:
    """Those that this process has started; none in a process that was started, and none under other launchers.

    A process that ends before its time would leave them behind: they go on alone, and then wait for it.

    Args:
        trainer: after it has launched them.
    """

    def __init__(self, trainer: Trainer) -> None:
        launcher = trainer.strategy.launcher
        self._observed = launcher.procs if isinstance(launcher, _SubprocessScriptLauncher) else []
        self._processes: list[subprocess.Popen[bytes]] = list(self._observed)

    def unobserve(self) -> None:
        """Let them end: lightning has a thread that kills this process as soon as one ends with another code than 0."""
        self._observed.clear()

    def stop(self) -> None:
        """Ask them to stop after their batch, and wait until they have."""
        self.unobserve()
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(_SECONDS_FOR_A_BATCH)
            except subprocess.TimeoutExpired:
                process.kill()
