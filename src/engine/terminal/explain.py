"""Errors as a user reads them: what was expected, what exists, how to fix it."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from src.core.errors import LeadlineError
from src.engine.terminal.arguments import near

# what a worker or rank raised arrives as the text of its traceback
_RAISED_ELSEWHERE = re.compile(r".*src\.core\.errors\.\w+: ", re.DOTALL)
_WORKER_DIED = re.compile(r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)")
_RANK_DIED = re.compile(r"process \d+ terminated with (signal \w+|exit code \d+)")
_JOB_ENDED = "has not produced any output"  # submitit's words
_FIRST = ("ramp", "sample", "images")  # choices that need nothing but this package
_MANY = 20
_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this disk is used up",
    errno.EFBIG: "a file grew beyond the size that this system allows",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
}


def explain(error: BaseException, conf: Path | None = None) -> str | None:
    """Return the message for an error the user can mend, or None for a defect, which deserves its traceback.

    Args:
        error: what was raised.
        conf: folder of the configuration, for errors of composing it.
    """
    text = str(error)
    if _RAISED_ELSEWHERE.match(text):
        return _RAISED_ELSEWHERE.sub("", text).strip()
    if isinstance(error, LeadlineError):
        return text
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f" ({error.filename})" if error.filename else ""
        return f"{_DISK[error.errno]}{where}; what was scored before is kept: mend that and run the same command again"
    if _WORKER_DIED.search(text):
        return (
            f"a process that decodes images has died, often for want of memory: {text.splitlines()[0]} What was scored "
            "is kept, and the same command goes on from there; num_workers=0 decodes in the main process"
        )
    if _RANK_DIED.search(text):
        return (
            f"a process of the run has died, often for want of memory: {text.splitlines()[-1]}. What was scored is "
            "kept, and the same command goes on from there, with any number of processes"
        )
    if _JOB_ENDED in text:
        reason = text.strip().splitlines()[-1]
        return f"a job of the sweep ended before its cell was done: {reason}; the same command goes on with the rest"
    if isinstance(error, MissingConfigException):
        return _known_choices(error, conf)
    if isinstance(error, MissingMandatoryValue):
        return _not_set(str(error.full_key))
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _not_chosen(text) or _known_keys(error) or " ".join(text.split())
    return None


def _known_choices(error: MissingConfigException, conf: Path | None) -> str:
    """Say which choice is not there, or not made, and which there are."""
    text = str(error)
    group, _, wanted = (error.missing_cfg_file or "").rpartition("/")
    options = list(error.options or [])
    if conf is not None and (conf / group).is_dir():  # hydra does not list them where several can be selected
        options = options or sorted(path.stem for path in (conf / group).glob("*.yaml"))
    head = text.splitlines()[0].removeprefix("In 'eval': ").rstrip(".")
    return f"{head}{near(wanted, options)}{_listed(group, options)}"


def _not_chosen(text: str) -> str:
    """Say which group wants a choice; "" if that is not what is wrong."""
    missing = re.match(r"You must specify '(\w+)'", text)
    if missing is None:
        return ""
    options = re.findall(r"^\s*([\w/]+)$", text, re.MULTILINE)
    example = next((name for name in _FIRST if name in options), "<name>")
    return f"{missing[0]}, such as {missing[1]}={example}{_listed(missing[1], options)}"


def _listed(group: str, options: Sequence[str]) -> str:
    """List the choices of a group, or say where they are listed if they are many."""
    if group in ("model", "data") and len(options) > _MANY:
        return f"; `python -m src.{group} list` shows all {len(options)}"
    return f"; available options in {group}: {', '.join(options)}"


def _known_keys(error: BaseException) -> str:
    """List the keys that exist where an unknown one was set; "" if that is not what is wrong."""
    cause: Any = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException) or cause.parent_node is None or cause.key is None:
        return ""
    keys = [str(key) for key in cause.parent_node if key not in ("hydra", "_target_", "_convert_")]
    full_key = str(cause.full_key or cause.key)
    where = full_key.rpartition(".")[0] or "the configuration"
    return f"no key {full_key}{near(str(cause.key), keys)}; keys of {where}: {', '.join(keys)}"


def _not_set(full_key: str) -> str:
    """Say which key wants a value, by the name that is typed, and what its file says about it."""
    typed = full_key.replace("datamodule.dataset.", "data.")
    group, _, name = typed.rpartition(".")
    meaning = ""
    if HydraConfig.initialized() and group in HydraConfig.get().runtime.choices:
        sources = [source.path for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
        files = [Path(source, group, f"{HydraConfig.get().runtime.choices[group]}.yaml") for source in sources]
        said = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
        line = re.search(rf"^{re.escape(name)}:.*?#\s*(.+)$", said, re.MULTILINE)
        meaning = f" ({line[1]})" if line else ""
    return f"{typed} is not set{meaning}: type {typed}=<value>"
