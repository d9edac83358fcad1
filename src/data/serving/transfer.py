"""A batch's way to the device, beside what the device computes meanwhile."""

import torch

from src.core.batch import Batch


class Transfer:
    """Brings batches to a device; on CUDA by a stream of its own.

    A copy on the stream of the computations would wait for the batch before, whose results the host need not have read
    yet. What is asked of the device after a batch has been handed over waits for its copy, and the host for nothing.
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, batch: Batch, device: torch.device) -> Batch:
        """Return the batch with its tensors on the device.

        Args:
            batch: in page-locked memory where there is a CUDA device; otherwise copying waits.
            device: of this process.
        """
        if device.type != "cuda":
            return batch.to(device, non_blocking=True)
        if self._stream is None:
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        computing = torch.cuda.current_stream(device)
        with torch.cuda.stream(self._stream):
            moved = batch.to(device, non_blocking=True)
        computing.wait_stream(self._stream)
        for sample in moved:
            for tensor in sample.tensors().values():
                tensor.record_stream(computing)  # whose work must be done before the memory is used again
        return moved
