"""evaluate: a cell from Python, by the engine's own path into the engine's own folder."""

import contextlib
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from src.api.composing import Choice, composed, words
from src.api.live import Live, as_choice
from src.core.errors import ConfigError
from src.core.prediction import OutputSpace
from src.engine.cell.build import Builder
from src.engine.cell.loaded import LoadedModel
from src.engine.cell.request import read_cell_request
from src.engine.cell.run import run_cell
from src.engine.process.environment import is_first_process
from src.engine.process.family import refuse_company
from src.engine.terminal.explain import explain
from src.engine.terminal.secrets import refuse_secrets
from src.records.reader import Cell
from src.records.status import note


def evaluate(
    model: Choice | Callable[..., Any],
    data: Choice = "sample",
    *,
    protocol: str | Sequence[str] | None = None,
    space: OutputSpace | str | None = None,
    name: str = "mine",
    **settings: Any,
) -> Cell:
    """Score a model on a data set, as `python -m src.eval` does: the same folder, records and resumption.

    A callable is run anew every time, since what it computes has no name that results could be kept under; it is given
    images (1, 3, h, w), float32 from 0 to 1 unless `model_settings` say otherwise, and returns a map (h, w) or
    (1, h, w), tensor or array.

    Args:
        model: as on the command line; {"name": ..., key: value} for one with keys; or a callable image -> map.
        data: likewise, without the callable.
        protocol: one or several; None for the five plain ones.
        space: of the predictions of a callable.
        name: that the folder of a callable has, and that reports give it.
        settings: further keys of the command line, such as limit=10, batch_size=2, trainer="cpu" or
            paths={"output_dir": "elsewhere"}. `model_settings` of a callable are keys of model=callable.

    Returns:
        The finished cell: `folder`, `manifest`, and `scores` in columns.

    Raises:
        LeadlineError: what the command line would print, in one line.
    """
    own = dict(settings.pop("model_settings", {}))
    if protocol is not None:
        settings["protocol"] = [protocol] if isinstance(protocol, str) else list(protocol)
    settings = {"trainer": {"enable_progress_bar": False}, **settings}
    loaded: LoadedModel | None = None
    with contextlib.ExitStack() as stack:
        if callable(model):
            if space is None:
                msg = f"space: expected what is unknown about predictions, one of {', '.join(OutputSpace)}, got nothing"
                raise ConfigError(msg)
            loaded = Live(model)
            chosen = stack.enter_context(as_choice(model, name))
            chosen += words(model={"space": str(OutputSpace.named(space)), **own}, data=data, force=True)
        else:
            chosen = words(model=model, data=data)
        cfg, folder = stack.enter_context(composed("eval", [*chosen, *words(**settings)]))
        if loaded is not None and cfg.trainer.devices != 1:
            msg = f"trainer.devices={cfg.trainer.devices}: a callable lives in this process; expected 1"
            raise ConfigError(msg)
        refuse_secrets(cfg)
        refuse_company(cfg.trainer.devices, cfg.trainer.num_nodes, cfg.trainer.strategy)
        request = read_cell_request(cfg)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            cell = run_cell(request, Builder(cfg), folder, loaded)
        except BaseException as error:
            if is_first_process():
                command = shlex.join(["evaluate", request.measured.model, request.measured.data])
                note(
                    folder, state="failed", reason=explain(error) or f"{type(error).__name__}: {error}", command=command
                )
            raise
        if cell is None:
            msg = "evaluate: expected the first process of the run, got another one; only that one has the result"
            raise ConfigError(msg)
        note(folder, state="done")
    return cell
