"""One GPU for each process of a sweep that runs cells in parallel on one machine."""

import fcntl
import functools
import itertools
import os
from pathlib import Path

import torch


@functools.cache  # a process runs many cells of a sweep and keeps its GPU, since CUDA is told once
def take_device(ledger: Path) -> str | None:
    """Let this process see one GPU only, that of the first slot of the sweep that no other living process holds.

    With as many processes as GPUs each has one for itself; with more of them they share GPUs evenly. To be called
    before this process uses any.

    Args:
        ledger: of the sweep; slots are files beside it.

    Returns:
        The GPU, as CUDA names it, now alone in CUDA_VISIBLE_DEVICES; None where this process sees none.
    """
    gpus = _visible()
    for slot in itertools.count() if gpus else ():
        descriptor = os.open(ledger.with_suffix(f".slot{slot}"), os.O_CREAT | os.O_WRONLY, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        # the file stays open, and so the slot is held, until the process ends, whatever ends it
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
        return gpus[slot % len(gpus)]
    return None


def _visible() -> tuple[str, ...]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return tuple(str(k) for k in range(torch.cuda.device_count()))  # asks the driver, without using a GPU
    return tuple(name.strip() for name in named.split(",") if name.strip())
