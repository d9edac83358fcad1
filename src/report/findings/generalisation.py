"""The section about domains: data a model was trained on against data it never saw, and kinds of scene apart."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from src.report.findings.board import AverageRank, Board, average_ranks, rows_by_name
from src.report.findings.leaderboard import Domain, Row, Table

_MOST_GROUPS = 12  # more are scenes, not kinds of scene


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How one model does beyond its training data, by one metric under one protocol.

    Attributes:
        name: of its rows.
        in_domain, zero_shot, unknown: data sets it was ranked on, by what its card says of them.
        rank: average over zero-shot data sets that it shares with other models; None where it shares none.
        mean: of its zero-shot means over those data sets; None likewise.
        in_domain_level, zero_shot_level: error relative to the median model of the data set, geometric mean over data
            sets; None where there is none. 1 is the median model.
        gap: zero-shot level over in-domain level: how much worse, against the others, it is on what it never saw.
        worst: the data set with the largest relative error, and that error.
    """

    name: str
    in_domain: tuple[str, ...]
    zero_shot: tuple[str, ...]
    unknown: tuple[str, ...]
    rank: AverageRank | None
    mean: float | None
    in_domain_level: float | None
    zero_shot_level: float | None
    gap: float | None
    worst: tuple[str, float] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """All models under one protocol.

    Attributes:
        board: they are from.
        metric: its first.
        shared: data sets that zero-shot ranks and means are over.
        verdict: about those ranks, in words.
        reaches: of the models, best zero-shot rank first.
    """

    board: Board
    metric: str
    shared: tuple[str, ...]
    verdict: str
    reaches: tuple[Reach, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Ranked models by kind of scene, on one data set under one protocol.

    Attributes:
        table: of the leaderboard.
        metric: its first.
        images: kind -> number of images that all models scored.
        means: name -> kind -> mean, or None where it is undefined.
        ratios: name -> worst kind over best kind, by error.
    """

    table: Table
    metric: str
    images: Mapping[str, int]
    means: Mapping[str, Mapping[str, float | None]]
    ratios: Mapping[str, float | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """Ranked models near and far, on one data set under one protocol.

    Attributes:
        table: of the leaderboard.
        edge: metres between near and far: the edge of bins that parts the pixels most evenly.
        share: of the pixels that are near.
        errors: name -> mean AbsRel over near pixels, and over far ones.
    """

    table: Table
    edge: float
    share: float
    errors: Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Generalisation:
    """What the section draws."""

    domains: tuple[Domains, ...]
    kinds: tuple[Kinds, ...]
    distances: tuple[Distances, ...]


def generalisation(tables: Sequence[Table], boards: Sequence[Board]) -> Generalisation:
    """Tell in-domain from zero-shot, and kinds of scene, and near from far.

    Args:
        tables: of the leaderboard.
        boards: of these tables.
    """
    domains = [_domains(board) for board in boards]
    kinds = [_kinds(table) for table in tables]
    distances = [_distances(table) for table in tables]
    return Generalisation(
        domains=tuple(one for one in domains if one is not None),
        kinds=tuple(one for one in kinds if one is not None),
        distances=tuple(one for one in distances if one is not None),
    )


def _error(table: Table, metric: str, mean: float) -> float:
    """Return what a mean lacks: itself, or its distance from 1 for shares where more is better."""
    return 1 - mean if table.info.metrics[metric].higher_is_better else mean


def _domains(board: Board) -> Domains | None:
    metric = board.columns[0].metrics[0]
    rows = {
        name: tuple(row if row and not row.unranked and row.estimates[metric].mean is not None else None for row in own)
        for name, own in rows_by_name(board.columns).items()
    }
    rows = {name: own for name, own in rows.items() if any(own)}
    if all(row is None or row.domain == "unknown" for own in rows.values() for row in own):
        return None
    unseen = {
        name: tuple(row if row and row.domain == "zero-shot" else None for row in own) for name, own in rows.items()
    }
    standing = average_ranks(metric, board.columns[0].info.metrics[metric], unseen)
    if len(rows) < 2:  # levels and ranks are relative to others
        return None
    levels = _levels(board, metric, rows)
    reaches = [
        _reach(name, own, metric, board, standing.ranks.get(name), standing.shared, levels[name])
        for name, own in rows.items()
    ]
    return Domains(
        board=board,
        metric=metric,
        shared=tuple(board.labels[place] for place in standing.shared),
        verdict=standing.verdict,
        reaches=tuple(
            sorted(reaches, key=lambda one: (one.rank is None, one.rank.mean if one.rank else 0.0, one.name))
        ),
    )


def _levels(board: Board, metric: str, rows: Mapping[str, tuple[Row | None, ...]]) -> dict[str, list[float | None]]:
    """Return each model's error on each data set relative to that of the median model there."""
    levels: dict[str, list[float | None]] = {name: [] for name in rows}
    for place, table in enumerate(board.columns):
        errors = {
            name: _error(table, metric, mean)
            for name, own in rows.items()
            if (row := own[place]) is not None and (mean := row.estimates[metric].mean) is not None
        }
        # one model alone is its own median and says nothing
        middle = median(errors.values()) if len(errors) > 1 else 0.0
        for name, own in levels.items():
            own.append(errors[name] / middle if name in errors and middle > 0 and errors[name] > 0 else None)
    return levels


def _reach(
    name: str,
    own: tuple[Row | None, ...],
    metric: str,
    board: Board,
    rank: AverageRank | None,
    shared: Sequence[int],
    levels: Sequence[float | None],
) -> Reach:
    def sets(domain: Domain) -> tuple[str, ...]:
        return tuple(label for label, row in zip(board.labels, own, strict=True) if row and row.domain == domain)

    def level(domain: Domain) -> float | None:
        found = [one for one, row in zip(levels, own, strict=True) if one and row and row.domain == domain]
        return math.exp(sum(map(math.log, found)) / len(found)) if found else None

    means = [row.estimates[metric].mean for place in shared if (row := own[place]) is not None]
    known = [mean for mean in means if mean is not None]
    seen, unseen = level("in-domain"), level("zero-shot")
    return Reach(
        name=name,
        in_domain=sets("in-domain"),
        zero_shot=sets("zero-shot"),
        unknown=sets("unknown"),
        rank=rank,
        mean=sum(known) / len(known) if rank is not None else None,
        in_domain_level=seen,
        zero_shot_level=unseen,
        gap=unseen / seen if seen and unseen else None,
        worst=max(
            ((label, one) for label, one in zip(board.labels, levels, strict=True) if one is not None),
            key=lambda pair: pair[1],
            default=None,
        ),
    )


def _kinds(table: Table) -> Kinds | None:
    metric = table.metrics[0]
    if not table.ranked:
        return None
    first = table.ranked[0].scored
    names, counts = np.unique(first.slice[first.status == "ok"], return_counts=True)
    if not 2 <= len(names) <= _MOST_GROUPS or counts.max() < 2:
        return None
    means = {row.name: {str(kind): _mean(row, metric, str(kind)) for kind in names} for row in table.ranked}
    ratios: dict[str, float | None] = {}
    for name, by_kind in means.items():
        errors = [_error(table, metric, mean) for mean in by_kind.values() if mean is not None]
        ratios[name] = max(errors) / min(errors) if errors and min(errors) > 0 else None
    images = {str(kind): int(count) for kind, count in zip(names, counts, strict=True)}
    return Kinds(table=table, metric=metric, images=images, means=means, ratios=ratios)


def _mean(row: Row, metric: str, kind: str) -> float | None:
    scored = row.scored
    values = scored.errors[metric]
    chosen = (scored.slice == kind) & np.isfinite(values)
    weights = scored.weights.get(metric, np.ones(len(values)))[chosen]
    return float((weights * values[chosen]).sum() / weights.sum()) if weights.sum() > 0 else None


def _distances(table: Table) -> Distances | None:
    rows = [row for row in table.ranked if len(row.manifest.depth_edges) == row.scored.depth_pixels.shape[1] + 1]
    edges = {tuple(row.manifest.depth_edges) for row in rows}
    if len(edges) != 1 or len(rows[0].manifest.depth_edges) < 3:
        return None
    pixels = rows[0].scored.depth_pixels[rows[0].scored.status == "ok"].sum(axis=0)
    if np.count_nonzero(pixels) < 2:
        return None
    shares = pixels.cumsum()[:-1] / pixels.sum()
    split = int(np.abs(shares - 0.5).argmin())
    if not 0 < shares[split] < 1:
        return None
    errors = {row.name: (_pooled(row, slice(None, split + 1)), _pooled(row, slice(split + 1, None))) for row in rows}
    return Distances(
        table=table, edge=rows[0].manifest.depth_edges[split + 1], share=float(shares[split]), errors=errors
    )


def _pooled(row: Row, bins: slice) -> float:
    """Return the mean AbsRel over all pixels of some bins."""
    ok = row.scored.status == "ok"
    pixels = row.scored.depth_pixels[ok, bins]
    errors = np.where(pixels > 0, row.scored.depth_abs_rel[ok, bins], 0.0)
    return float((pixels * errors).sum() / pixels.sum())
