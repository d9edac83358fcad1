"""The network of the last cell, kept for the next one of a sweep. Imports nothing heavy."""

import gc
from typing import Any

from src.records.fingerprint import fingerprint

_LEAVES_THE_NETWORK = {
    *("data", "datamodule", "protocol", "corruption", "severity", "limit", "card", "experiment", "logger"),
    *("batch_size", "num_workers", "prefetch", "cache", "on_error", "save_predictions", "rescore", "force", "wait"),
    *("sync_seconds", "panels", "sweep_ledger"),
}


class LoadedModel:
    """Holds the model that ran last, weights and all, for the cells that one process runs one after the other.

    A cell gets it if everything it is configured with is the same: the model's own keys, resolution, seed and trainer,
    and every other key of which it is not known that it leaves the network alone. Else it is let go before the next
    model is built, so that there is never room needed for two.
    """

    def __init__(self) -> None:
        self._key = ""
        self._model: Any = None

    def get(self, build: Any) -> Any:
        """Return the model of a `Builder`: the one at hand, or a new one, which is loaded when it first runs."""
        key = fingerprint(build.settings(without=_LEAVES_THE_NETWORK))
        if self._model is None or key != self._key:
            self.drop()
            self._model, self._key = build.model(), key
        return self._model

    def drop(self) -> None:
        """Let the model go: another is needed, or this one may have been left in the middle of something."""
        self._model = None
        gc.collect()  # model and trainer refer to each other
