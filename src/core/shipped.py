"""Where the configuration lies that comes with this package: beside `src` in a checkout, within it where installed."""

from pathlib import Path
from typing import Final

_INSTALLED = Path(__file__).parents[1] / "conf"

CONF: Final = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "conf"
