"""Two reports side by side: the same measurements before and after, on two commits or two machines."""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64

from src.records import statistics
from src.records.reader import Cell
from src.records.table import Scored
from src.report.findings.cells import Findings
from src.report.findings.paired import Paired
from src.report.findings.words import decimals_for

LEVEL = 0.05

Outcome = Literal["the same", "within noise", "beyond noise", "too few to say"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One number before and after, over the images that both cells scored.

    Attributes:
        name, data, protocol, metric: what was measured.
        versions: of the protocol, before and after.
        before, after: means over the shared images.
        difference: after minus before.
        low, high: its 95 % interval, units drawn anew for both together; None where they are too few.
        p: of no difference, adjusted by Holm over all numbers that are compared; None likewise.
        images: shared ones with a value in both.
        changed: of those, how many have another value.
        alone: images that one of the two did not score.
        decimals: of the means.
        outcome: whether the number moved: `the same` to the last bit of every image, or as the test says.
    """

    name: str
    data: str
    protocol: str
    metric: str
    versions: tuple[int, int]
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    images: int
    changed: int
    alone: int
    decimals: int
    outcome: Outcome


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that two reports have in common.

    Attributes:
        titles: of the two: folder, commits and devices.
        moved: every number that both hold, those that moved beyond noise first.
        only: measurements that one of them holds alone, for each of the two.
        verdict: in words.
    """

    titles: tuple[str, str]
    moved: tuple[Moved, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    verdict: str


Key = tuple[str, str, str, str, int, int, str]


def compare_reports(before: Findings, after: Findings, folders: tuple[str, str]) -> Comparison:
    """Pair the cells of two reports by what was measured, and their images by name.

    Args:
        before: its finished cells.
        after: those of the other.
        folders: that they were found in.
    """
    sides = [_by_measurement(one.cells) for one in (before, after)]
    shared = [key for key in sides[0] if key in sides[1]]
    found = [moved for key in shared for moved in _moved(key, sides[0][key], sides[1][key])]
    adjusted = _adjusted(found)
    order: dict[Outcome, int] = {"beyond noise": 0, "too few to say": 1, "within noise": 2, "the same": 3}
    only = tuple(sorted(_named(key) for key in own if key not in other) for own, other in (sides, sides[::-1]))
    return Comparison(
        titles=(_title(before, folders[0]), _title(after, folders[1])),
        moved=tuple(sorted(adjusted, key=lambda one: order[one.outcome])),
        only=(tuple(only[0]), tuple(only[1])),
        verdict=_verdict(adjusted),
    )


def _by_measurement(cells: Sequence[Cell]) -> dict[Key, Cell]:
    """Name each cell under each protocol by what was measured; of one that was measured twice the later counts.

    Where cells of one model differ in settings, the settings are part of the name.
    """
    plain: dict[Key, list[Cell]] = {}
    for cell in sorted(cells, key=lambda one: one.manifest.finished):
        for protocol in cell.manifest.protocols:
            plain.setdefault(_key(cell, protocol), []).append(cell)
    found: dict[Key, Cell] = {}
    for key, members in plain.items():
        settings = {_settings(cell): cell for cell in members}
        for text, cell in settings.items():
            found[key if len(settings) == 1 else (f"{key[0]} {text}", *key[1:])] = cell
    return found


def _key(cell: Cell, protocol: str) -> Key:
    it = cell.manifest
    return it.model, it.data, it.resolution, it.corruption, it.severity, it.seed, protocol


def _settings(cell: Cell) -> str:
    return json.dumps(cell.manifest.config.get("model"), sort_keys=True)


def _named(key: Key, *, whole: bool = True) -> str:
    """Write what was measured; with data and protocol, or without."""
    model, data, resolution, corruption, severity, seed, protocol = key
    parts = {
        model: True,
        f"at {resolution}": resolution != "default",
        f"{corruption} {severity}": corruption != "none",
        f"seed {seed}": seed != 0,
        f"on {data} under {protocol}": whole,
    }
    return " ".join(part for part, said in parts.items() if said)


def _moved(key: Key, before: Cell, after: Cell) -> list[Moved]:
    protocol = key[-1]
    one, two = before.scores[protocol], after.scores[protocol]
    names, places, others = np.intersect1d(one.sample_id, two.sample_id, return_indices=True)
    ok = (one.status[places] == "ok") & (two.status[others] == "ok")
    one, two = one.select(places[ok]), two.select(others[ok])
    alone = len(before.scores[protocol]) + len(after.scores[protocol]) - 2 * len(names) + int((~ok).sum())
    found = []
    for metric in one.errors:
        if metric not in two.errors:
            continue
        moved = _of_metric(key, metric, one, two, alone)
        if moved is not None:
            found.append(moved)
    return found


def _of_metric(key: Key, metric: str, one: Scored, two: Scored, alone: int) -> Moved | None:
    values: Float64[np.ndarray, "n 2"] = np.stack([one.errors[metric], two.errors[metric]], axis=1)
    unit = np.ones(len(values))
    weights = np.stack([part.weights.get(metric, unit) for part in (one, two)], axis=1)
    both = np.isfinite(values).all(axis=1)
    if not both.any():
        return None
    paired = Paired(
        values=values,
        weights=np.where(both[:, None], weights, 0.0),
        units=statistics.units_of(two.cluster.tolist()),
    )
    means = paired.means()
    gap = means.column(1).minus(means.column(0))
    changed = int((values[both, 0] != values[both, 1]).sum())
    outcome: Outcome = "the same" if not changed else "within noise" if paired.enough else "too few to say"
    low, high = statistics.intervals(gap, skewed=False)[:, 0].tolist()
    testable = changed > 0 and paired.enough
    return Moved(
        name=_named(key, whole=False),
        data=key[1],
        protocol=key[-1],
        metric=metric,
        versions=(one.protocol_version, two.protocol_version),
        before=float(means.values[0]),
        after=float(means.values[1]),
        difference=float(gap.values[0]),
        low=low if testable else None,
        high=high if testable else None,
        p=float(statistics.p_values(gap)[0]) if testable else None,
        images=int(both.sum()),
        changed=changed,
        alone=alone,
        decimals=decimals_for(means.values.tolist()),
        outcome=outcome,
    )


def _adjusted(found: Sequence[Moved]) -> list[Moved]:
    """Correct for the number of numbers that could be tested."""
    tested = [one.p for one in found if one.p is not None]
    p_values = iter(statistics.holm(np.array(tested)).tolist())
    adjusted = []
    for one in found:
        if one.p is None:
            adjusted.append(one)
            continue
        p = next(p_values)
        adjusted.append(dataclasses.replace(one, p=p, outcome="beyond noise" if p < LEVEL else "within noise"))
    return adjusted


def _title(findings: Findings, folder: str) -> str:
    manifests = [cell.manifest for cell in findings.cells]
    commits = sorted({one.git_revision[:12] or "no checkout" for one in manifests})
    devices = sorted({one.device for one in manifests})
    return f"{folder}: commit {', '.join(commits)}, {', '.join(devices)}"


def _verdict(found: Sequence[Moved]) -> str:
    if not found:
        return "The two have no measurement in common."
    counts = Counter(one.outcome for one in found)
    endings: dict[Outcome, str] = {
        "the same": "the same to the last bit of every image",
        "within noise": "moved within noise",
        "beyond noise": "moved beyond noise",
        "too few to say": "moved, on too few images or scenes to say more",
    }
    said = [f"{counts[outcome]} {ending}" for outcome, ending in endings.items() if outcome in counts]
    return f"Of {len(found)} numbers: {', '.join(said)}."
