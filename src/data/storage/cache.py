"""DecodedCache: samples as they come out of a data set, kept on disk, so that a sweep decodes each image once."""

import functools
import hashlib
import importlib.metadata
import inspect
import json
import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch

from src.core.errors import DataError
from src.core.files import replace_file
from src.core.reading import read_bytes
from src.core.sample import Sample
from src.data.base import DepthDataset

log = logging.getLogger(__name__)

_TAG = b"leadline sample 2\n"
_HEAD = struct.Struct("<II")  # checksum of all that follows, length of the words
_DECODERS = ("numpy", "pillow", "scipy", "h5py", "openexr")
_CODE = (Path(__file__).parents[1], Path(__file__).parents[2] / "core")


class DecodedCache:
    """A folder of decoded samples.

    An entry is named by what it is made from: path, size and time of change of the image's files, the data set's
    class and what it was made with, the code of this package's readers (and of the class, if it lies elsewhere) and the
    versions of the decoders. If one of them changes, the entry is not found and another one written, so nothing is ever
    out of date. Entries are written whole or not at all, so that any number of runs may share the folder, and carry a
    checksum: a damaged one is reported and made anew. The folder may be deleted at any time; nothing else shrinks it.

    Args:
        folder: made when the first entry is written. It needs 12 bytes per pixel, about: an image of 480 x 640, 2.5 MB.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._code: dict[type[DepthDataset], str] = {}
        self._is_writable = True

    def sample(self, dataset: DepthDataset, i: int) -> Sample:
        """Return `dataset[i]`, decoded now or before; the same to the last bit.

        Raises:
            DataError: as the data set does; failures are not kept.
        """
        path = self._entry(dataset, i)
        if path is None:
            return dataset[i]
        sample = self._load(path, dataset, i)
        if sample is None:
            sample = dataset[i]
            self._keep(path, sample)
        return sample

    def _entry(self, dataset: DepthDataset, i: int) -> Path | None:
        """Where sample number `i` is kept; None where the data set does not say what its samples are made from."""
        try:
            stamps = dataset.stamps(i)
        except DataError:  # a file is missing, which reading reports better
            return None
        if stamps is None:
            return None
        key = [self._reader(type(dataset)), _plain(dataset), dataset.sample_ids[i], stamps]
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.sample"

    def _reader(self, kind: type[DepthDataset]) -> str:
        """Hash of all code that decodes, so that a change of a reader makes its entries anew without being told to."""
        if kind not in self._code:
            files = {file for folder in _CODE for file in folder.rglob("*.py")}
            own = (inspect.getsourcefile(base) for base in kind.__mro__ if issubclass(base, DepthDataset))
            files |= {Path(file) for file in own if file is not None}
            digest = hashlib.sha256(json.dumps([importlib.metadata.version(name) for name in _DECODERS]).encode())
            for file in sorted(files):
                digest.update(file.read_bytes())
            self._code[kind] = digest.hexdigest()
        return self._code[kind]

    def _load(self, path: Path, dataset: DepthDataset, i: int) -> Sample | None:
        try:
            words, tensors = _decode(read_bytes(path))
            if words["sample_id"] != dataset.sample_ids[i]:
                msg = f"holds {words['sample_id']!r}"
                raise ValueError(msg)
            return Sample(
                depth_range=dataset.depth_range,
                sample_id=(words["sample_id"],),
                index=(i,),
                cluster=(words["cluster"],),
                slice=(words["slice"],),
                **tensors,
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            log.warning("%s: a damaged entry of the cache (%s) is made anew.", path, error)
            return None

    def _keep(self, path: Path, sample: Sample) -> None:
        if not self._is_writable:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, _encode(sample))
        except OSError as error:  # the disk is full, or not ours: the run needs the sample, not the cache
            self._is_writable = False
            log.warning("%s: the cache cannot be written (%s); this process decodes without it.", path, error)


def _encode(sample: Sample) -> bytes:
    words = json.dumps({name: getattr(sample, name)[0] for name in ("sample_id", "cluster", "slice")}).encode()
    tensors = {name: tensor.contiguous() for name, tensor in sample.tensors().items()}
    body = words + safetensors.torch.save(tensors)
    return _TAG + _HEAD.pack(zlib.crc32(body), len(words)) + body


def _decode(content: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    head = len(_TAG) + _HEAD.size
    if content[: len(_TAG)] != _TAG or len(content) < head:
        msg = "it does not begin like one"
        raise ValueError(msg)
    checksum, length = _HEAD.unpack(content[len(_TAG) : head])
    body = memoryview(content)[head:]
    if zlib.crc32(body) != checksum:
        msg = "its checksum differs"
        raise ValueError(msg)
    words: dict[str, str] = json.loads(bytes(body[:length]))
    return words, safetensors.torch.load(bytes(body[length:]))


def _plain(value: Any) -> Any:
    """A data set as JSON can write it: its class and what it was made with; one that wraps another, with that one.

    What a data set has worked out since (its cached properties) is left out. A value that says nothing of its content
    makes an entry that is never found again, which is slow but right.
    """
    if isinstance(value, DepthDataset):
        kind = type(value)
        later = {name for name in vars(value) if isinstance(getattr(kind, name, None), functools.cached_property)}
        made_with = {name: item for name, item in vars(value).items() if name not in {*later, "lists_incomplete"}}
        return [f"{kind.__module__}.{kind.__qualname__}", _plain(made_with)]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
    return value if isinstance(value, int | float | str | None) else str(value)
