"""The libraries of the extra `deploy`, which nothing else needs."""

import importlib
from typing import Any

from src.core.errors import ConfigError


def library(name: str) -> Any:
    """Import a library of the extra.

    Raises:
        ConfigError: if it is not installed; names the extra.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"{name} is not installed ({error}); it belongs to the extra deploy: pip install 'leadline[deploy]'"
        raise ConfigError(msg) from error
