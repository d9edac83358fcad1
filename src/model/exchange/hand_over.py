"""A model's networks computed by another runtime: exported once into a cache, and called in their place."""

import dataclasses
import hashlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from src.core.errors import CheckpointError, PredictionError
from src.model.exchange.extra import library
from src.model.exchange.graph import Exportable, to_program, write_onnx
from src.model.exchange.sessions import Session, open_session
from src.model.exchange.versions import versions

log = logging.getLogger(__name__)

_FILE: Final = "network.onnx"
_BOUND: Final = 5e-3
"""Of the largest value that torch returns: more than rounding in another order makes, less than any mistake."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A network of one size of input, and whether what it stands in for returns a single tensor."""

    session: Session
    is_single: bool


class HandedOver:
    """Stands in for a method that calls networks; computes image by image.

    The first call of each size exports the networks, unless the cache has them, and holds what the runtime returns
    against what torch does.

    Args:
        method: takes tensors, and further values; returns a tensor or a tuple of tensors.
        networks: the modules with the weights that it uses.
        runtime: "onnxruntime" or "openvino".
        cache: folder of exported networks; may be deleted at any time.

    Raises:
        ConfigError: if the runtime is not installed.
    """

    def __init__(self, method: Callable[..., Any], networks: Sequence[nn.Module], runtime: str, cache: Path) -> None:
        library(runtime)
        library("onnxscript")
        self._method = method
        self._networks = networks
        self._runtime = runtime
        self._cache = cache
        self._ready: dict[str, _Ready] = {}
        self._digest = ""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Compute what the method would return."""
        call = {**{str(place): value for place, value in enumerate(arguments)}, **keywords}
        tensors = {name: value for name, value in call.items() if isinstance(value, Tensor)}
        others = {name: value for name, value in call.items() if name not in tensors}
        batch = max(len(value) for value in tensors.values() if value.ndim > 1)
        rows = []
        for row in range(batch):
            given = {
                name: value[row : row + 1] if value.ndim > 1 and len(value) == batch else value
                for name, value in tensors.items()
            }
            ready = self._of_size(given, others)
            found = ready.session.run(list(given.values())).values()
            rows.append([value.to(next(iter(given.values())).device) for value in found])
        joined = tuple(torch.cat(parts) for parts in zip(*rows, strict=True))
        return joined[0] if ready.is_single else joined

    def _of_size(self, given: Mapping[str, Tensor], others: Mapping[str, Any]) -> _Ready:
        signature = json.dumps(
            [{name: [list(value.shape), str(value.dtype)] for name, value in given.items()}, repr(others)]
        )
        if signature not in self._ready:
            self._ready[signature] = self._prepare(signature, given, others)
        return self._ready[signature]

    def _prepare(self, signature: str, given: Mapping[str, Tensor], others: Mapping[str, Any]) -> _Ready:
        def call(*tensors: Tensor) -> Any:
            values = {**others, **dict(zip(given, tensors, strict=True))}
            count = sum(name.isdecimal() for name in values)
            named = {name: value for name, value in values.items() if not name.isdecimal()}
            return self._method(*(values[str(place)] for place in range(count)), **named)

        tensors = list(given.values())
        reference = call(*tensors)
        flat = _flat(reference)
        part = Exportable(
            networks=self._networks,
            call=lambda *tensors: _flat(call(*tensors)),
            inputs=[f"input_{place}" for place in range(len(tensors))],
            outputs=[f"output_{place}" for place in range(len(flat))],
        )
        self._digest = self._digest or digest_of_networks(self._networks)
        session = self._open(part, tensors, self._cache / _name(self._digest, signature))
        self._compare(session, tensors, flat)
        return _Ready(session=session, is_single=isinstance(reference, Tensor))

    def _open(self, part: Exportable, tensors: Sequence[Tensor], folder: Path) -> Session:
        file = folder / _FILE
        if file.is_file():
            try:
                return open_session(file, self._runtime)
            except CheckpointError:  # damaged, or deleted in between
                shutil.rmtree(folder, ignore_errors=True)
        log.info("Exporting the network for %s into %s, once.", self._runtime, folder)
        with ThreadPoolExecutor(1) as thread:  # where nobody counts operations: tracing performs them again
            program = thread.submit(to_program, part, [tensor.cpu() for tensor in tensors], dynamic=False).result()
        own = folder.with_name(f"{folder.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        own.mkdir(parents=True)
        try:
            write_onnx(program, part, own / _FILE)
            session = open_session(own / _FILE, self._runtime)
            if not file.is_file():
                try:
                    own.replace(folder)
                except OSError:  # another process was faster
                    log.debug("%s is there already", folder)
        finally:
            shutil.rmtree(own, ignore_errors=True)
        return session

    def _compare(self, session: Session, tensors: Sequence[Tensor], reference: Sequence[Tensor]) -> None:
        for expected, found in zip(reference, session.run(tensors).values(), strict=True):
            size = float(expected.abs().max())
            part = float((found.to(expected.device) - expected).abs().max()) / size if size else 0.0
            if not part <= _BOUND:  # NaN too
                msg = (
                    f"runtime={self._runtime}: what it computes differs from torch by {part:.1e} of the largest value, "
                    f"expected at most {_BOUND:.0e}; leave runtime out, and please report it"
                )
                raise PredictionError(msg)
            log.info("%s differs from torch by %.1e of the largest value.", self._runtime, part)


def digest_of_networks(networks: Sequence[nn.Module]) -> str:
    """Hash everything that decides what networks compute: kinds of layers, weights, buffers and plain settings."""
    digest = hashlib.sha256()
    for network in networks:
        for name, module in network.named_modules():
            plain = {
                key: value
                for key, value in vars(module).items()
                if isinstance(value, str | int | float | tuple) and key != "training"  # nothing is trained here
            }
            config: Any = getattr(module, "config", None)
            said = config.to_dict() if hasattr(config, "to_dict") else dict(config or {})
            digest.update(repr([name, type(module).__qualname__, sorted(plain.items()), sorted(said.items())]).encode())
            for key, value in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
                digest.update(key.encode())
                digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _name(digest: str, signature: str) -> str:
    """Name an exported network by its weights, the size of its input, and the versions of all that made it."""
    return hashlib.sha256(json.dumps([digest, signature, versions()]).encode()).hexdigest()[:32]


def _flat(returned: Any) -> tuple[Tensor, ...]:
    return (returned,) if isinstance(returned, Tensor) else tuple(returned)
