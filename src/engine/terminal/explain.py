"""Errors as a user reads them: what was expected, what exists, how to fix it."""

import difflib
import errno
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from src.core.errors import LeadlineError

# what a worker or rank raised arrives as the text of its traceback
_RAISED_ELSEWHERE = re.compile(r".*src\.core\.errors\.\w+: ", re.DOTALL)
_WORKER_DIED = re.compile(r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)")
_RANK_DIED = re.compile(r"process \d+ terminated with (signal \w+|exit code \d+)")
_JOB_ENDED = "has not produced any output"  # submitit's words
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
        return text + _known_choices(error, conf)
    if isinstance(error, MissingMandatoryValue):
        return f"{text}; set {error.full_key}=<value>"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return text + _known_keys(error)
    return None


def _known_choices(error: MissingConfigException, conf: Path | None) -> str:
    group, _, wanted = (error.missing_cfg_file or "").rpartition("/")
    options = list(error.options or [])
    listed = ""
    if not options and conf is not None:  # hydra does not list them where several choices can be selected
        options = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        listed = f"\navailable options in {group}: {', '.join(options)}"
    return listed + _did_you_mean(wanted, options)


def _known_keys(error: BaseException) -> str:
    """List the keys that exist where an unknown one was set."""
    cause: Any = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException) or cause.parent_node is None or cause.key is None:
        return ""
    keys = [str(key) for key in cause.parent_node if key != "hydra"]
    where = cause.full_key.rpartition(".")[0] if cause.full_key else ""
    listed = f"\nkeys of {where or 'the configuration'}: {', '.join(keys)}"
    return listed + _did_you_mean(str(cause.key), keys)


def _did_you_mean(wanted: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wanted, list(known), n=3)
    return f"\ndid you mean {' or '.join(near)}?" if near else ""
