"""Stop between two batches when the user or the scheduler asks for it."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from src.core.errors import LeadlineError

EXIT_CODE = 75
"""Of an interrupted command: "temporary failure, try again" (EX_TEMPFAIL of sysexits.h)."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(LeadlineError):  # noqa: N818  # not an error of anything
    """The run was asked to stop; what was scored is on disk and the same command goes on from there."""


class Interrupt:
    """Turns SIGTERM (a scheduler's preemption) and SIGINT (Ctrl-C) into a wish that is granted after the batch.

    A second signal acts at once, as it would without this.
    """

    def __init__(self) -> None:
        self._wish: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._told: Callable[[], None] | None = None

    def watch(self, told: Callable[[], None] | None = None) -> None:
        """Listen; for the main thread of a process.

        Args:
            told: called when a signal comes, before the batch is through.
        """
        self._told = told
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def unwatch(self) -> None:
        """Give the signals back to whoever handled them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def check(self) -> None:
        """Call after a batch is on disk.

        Raises:
            Interrupted: if a signal came.
        """
        if self._wish is not None:
            msg = f"interrupted by {self._wish.name} after a whole batch; the same command goes on from here"
            raise Interrupted(msg)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._wish = signal.Signals(number)
        self.unwatch()
        if self._told is not None:
            self._told()
