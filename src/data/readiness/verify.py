"""Whether the files of a data variant are those that its published numbers were measured on, as far as can be told."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from src.core.errors import DataError
from src.core.sample import Sample
from src.data.base import DepthDataset
from src.data.readiness.sources import RemoteFile, Source

_IMAGES = 12
_LISTED = 20
_LEAST_INSIDE = 0.5  # of the measured pixels that the range should hold


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        passed: whether it is as it should be; None where nothing is known to compare with.
        detail: what was found.
    """

    name: str
    passed: bool | None
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found.

    Attributes:
        checks: all of them.
        samples: the images that were decoded, spread over the split.
    """

    checks: tuple[Check, ...]
    samples: tuple[Sample, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the files."""
        return all(check.passed is not False for check in self.checks)


def verify(
    dataset: DepthDataset, *, count: int | None, source: Source | None, arguments: Mapping[str, Any]
) -> Findings:
    """Count, pair, decode, and compare depths and hashes with what is stated.

    Args:
        dataset: the variant.
        count: images in the published split, or None where nobody has said.
        source: what the table of downloads states about it.
        arguments: of the data set.

    Raises:
        DataError: if files are missing; the message lists them.
    """
    n = _count(dataset)
    checks = [Check(name="images", passed=None if count is None else n == count, detail=_counted(n, count))]
    positions = np.unique(np.linspace(0, n - 1, min(n, _IMAGES)).round().astype(int)).tolist()
    samples, faults = [], []
    for i in positions:
        try:
            samples.append(dataset[i])
        except DataError as error:
            faults.append(str(error))
    detail = "; ".join(faults) or f"{len(samples)} images spread over the split"
    checks.append(Check(name="files decode", passed=not faults, detail=detail))
    with_depth = [sample for sample in samples if sample.point_pairs is None]
    if with_depth:
        checks += [_valid(with_depth), _medians(with_depth, source), _ranges(dataset, with_depth)]
    hashed = [] if source is None else [file for file in source.files if file.digest and file.then == "keep"]
    checks += [_hash(file, Path(file.to.format(**arguments)).expanduser()) for file in hashed]
    return Findings(checks=tuple(checks), samples=tuple(samples))


def _count(dataset: DepthDataset) -> int:
    try:
        return len(dataset)
    except DataError as error:
        names = getattr(error, "names", ())
        if not names:
            raise
        listed = "\n".join(f"  {name}" for name in names[:_LISTED])
        more = f"\n  and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        msg = f"{error}\nmissing:\n{listed}{more}"
        raise DataError(msg) from error


def _counted(n: int, count: int | None) -> str:
    return f"{n}, all their files are there; published: {'not stated' if count is None else count}"


def _valid(samples: list[Sample]) -> Check:
    shares = [float(sample.valid.double().mean()) for sample in samples]
    empty = [sample.sample_id[0] for sample, share in zip(samples, shares, strict=True) if share == 0]
    detail = f"{min(shares):.1%} to {max(shares):.1%} of pixels count" + (f"; none in {empty}" if empty else "")
    return Check(name="ground truth", passed=len(empty) < len(samples), detail=detail)


def _medians(samples: list[Sample], source: Source | None) -> Check:
    medians = [float(sample.depth[sample.valid].median()) for sample in samples if sample.valid.any()]
    found = f"{min(medians):.3g} to {max(medians):.3g} m" if medians else "none"
    if source is None or source.median is None or not medians:
        return Check(name="median depth", passed=None, detail=f"{found}; nothing is stated to compare it with")
    least, most = source.median
    passed = least <= min(medians) and max(medians) <= most
    hint = "" if passed else ": wrong units, or another set"
    return Check(name="median depth", passed=passed, detail=f"{found}; plausible are {least:g} to {most:g} m{hint}")


def _ranges(dataset: DepthDataset, samples: list[Sample]) -> Check:
    """How much of what was measured lies inside the range that counts."""
    nearest, farthest = dataset.valid_range
    inside = measured = 0
    for sample in samples:
        depth = dataset.read(sample.index[0]).depth
        known = depth[np.isfinite(depth) & (depth > 0)] if depth is not None else np.zeros(0)
        measured += known.size
        inside += int(((known > nearest) & (known < farthest)).sum())
    share = inside / max(measured, 1)
    detail = f"{share:.1%} of measured depths lie between {nearest:g} and {farthest:g} m"
    return Check(name="range", passed=share >= _LEAST_INSIDE, detail=detail)


def _hash(file: RemoteFile, path: Path) -> Check:
    if not path.is_file():
        return Check(name=path.name, passed=None, detail="not here in the form that is published")
    digest = hashlib.new(file.algorithm, usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(2**20):
            digest.update(chunk)
    passed = digest.hexdigest() == file.digest
    detail = f"{file.algorithm} {digest.hexdigest()}" + ("" if passed else f", expected {file.digest}")
    return Check(name=path.name, passed=passed, detail=detail)
