"""What one run of a network costs beside time: operations and memory."""

import contextlib
import logging
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from src.core.replayed import kernel_by_kernel
from src.core.sample import Sample

log = logging.getLogger(__name__)

_PROC = Path("/proc/self")
_CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # torch counts that of CUDA only


@torch.inference_mode()
def count_operations(model: LightningModule, sample: Sample) -> int:
    """Count the floating-point operations of predicting for the first image of a sample, by doing so.

    Products and sums of matrix products, convolutions and attention; everything else is small beside them. Two for each
    product that is added, so twice the "MACs" that some papers give. A compiled network is counted as it was written.

    Args:
        model: a depth model, loaded.
        sample: on its device.

    Returns:
        The number, or 0 where it is not known: without weights, or where one image does not fit into memory.
    """
    if next(model.parameters(), None) is None:
        return 0
    counter = FlopCounterMode(display=False, custom_mapping={_CPU_ATTENTION: _attention})
    try:
        with counter, kernel_by_kernel(), torch.compiler.set_stance("force_eager"):
            model.predict(sample.part(slice(0, 1)))  # type: ignore[operator]
    except torch.OutOfMemoryError:  # the run itself will say so
        return 0
    return int(counter.get_total_flops())


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]  # of their shapes


def forget_peak(device: torch.device) -> None:
    """Start to look for the peak of memory anew, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):  # Linux only, and not in every container
        (_PROC / "clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that tensors held on a CUDA device, or that this process held of the machine's memory."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    status = _PROC / "status"
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
