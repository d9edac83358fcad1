"""How messages look in logs and on the terminal: without keys, and nothing in them steers a terminal."""

import logging

from src.core.shown import shown


class CleanFormatter(logging.Formatter):
    """Formats as any other, tracebacks included, and shows the result as `core.shown` says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines, of a message."""
        return shown(super().format(record), lines=True)
