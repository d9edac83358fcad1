"""The section about domains: data a model was trained on against data it never saw, and kinds of scene apart."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from src.records.statistics import drawn_means
from src.report.findings.board import Board, rows_by_name
from src.report.findings.leaderboard import Table
from src.report.findings.paired import pair
from src.report.findings.row import Domain, Row
from src.report.findings.verdicts import AverageRank, Lines, average_ranks, ranked_on

_MOST_GROUPS = 12  # more are scenes, not kinds of scene


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A relative error with its 95 % interval over the same data sets with other images of the kind.

    `low` and `high` are None where a data set has too few images or clusters; `sets` counts the data sets.
    """

    value: float
    low: float | None
    high: float | None
    sets: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How one model does beyond its training data, by one metric under one protocol.

    Attributes:
        name: of its rows.
        in_domain, zero_shot, unknown: data sets it was ranked on, by what its card says of them.
        rank: average over zero-shot data sets that it shares with other models; None where it shares none.
        mean: of its zero-shot means over those data sets; None likewise.
        in_domain_level, zero_shot_level: error relative to the median model, geometric mean over data sets; None where
            there is none. 1 is the median model. Over the data sets and models of `Domains.compared` alone.
        gap: zero-shot level over in-domain level: how much worse, against the others, it is on what it never saw.
        worst: the compared data set with the largest relative error, and that error.
    """

    name: str
    in_domain: tuple[str, ...]
    zero_shot: tuple[str, ...]
    unknown: tuple[str, ...]
    rank: AverageRank | None
    mean: float | None
    in_domain_level: Level | None
    zero_shot_level: Level | None
    gap: Level | None
    worst: tuple[str, float] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """All models under one protocol.

    Attributes:
        board: they are from.
        metric: its first.
        shared: data sets that zero-shot ranks and means are over.
        compared: data sets over which levels are, and the models that share all of them, whose median they are relative
            to. Rows on a part of the sets move no level.
        verdict: about those ranks, in words.
        reaches: of the models, best zero-shot rank first.
    """

    board: Board
    metric: str
    shared: tuple[str, ...]
    compared: tuple[tuple[str, ...], tuple[str, ...]]
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
    if len(rows) < 2:  # levels and ranks are relative to others
        return None
    standing = average_ranks(metric, board.columns[0].info.metrics[metric], unseen, board.labels)
    pool = _pool(metric, rows)
    levels = _levels(board, metric, {name: rows[name] for name in pool[1]}, pool[0])
    reaches = [
        _reach(name, own, metric, board, standing.ranks.get(name), standing.shared, levels.get(name))
        for name, own in rows.items()
    ]
    return Domains(
        board=board,
        metric=metric,
        shared=tuple(board.labels[place] for place in standing.shared),
        compared=(tuple(board.labels[place] for place in pool[0]), tuple(pool[1])),
        verdict=standing.verdict,
        reaches=tuple(
            sorted(reaches, key=lambda one: (one.rank is None, one.rank.mean if one.rank else 0.0, one.name))
        ),
    )


def _pool(metric: str, rows: Lines) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Choose the data sets that levels are over, and all models that share them.

    Of all sets of data sets that two models share, take that with the most data sets squared times models: a few models
    on one more set, or many on a few sets, do not change what all the others are compared on.
    """
    ranked = {name: ranked_on(metric, members) for name, members in rows.items()}
    common = dict.fromkeys(one & other for one, other in itertools.combinations(ranked.values(), 2))
    held = {sets: tuple(name for name, own in ranked.items() if sets <= own) for sets in common if sets}
    if not held:
        return (), ()
    chosen = max(held, key=lambda sets: (len(sets) ** 2 * len(held[sets]), len(sets)))
    return tuple(sorted(chosen)), held[chosen]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Levels:
    """Relative errors of one model: logarithms, observed and drawn (None where too few), by place of the data set."""

    observed: Mapping[int, float]
    drawn: Mapping[int, Float64[np.ndarray, " b"] | None]


def _levels(board: Board, metric: str, rows: Lines, places: Sequence[int]) -> dict[str, _Levels]:
    """Return each model's error on each data set relative to that of the median model there."""
    observed: dict[str, dict[int, float]] = {name: {} for name in rows}
    drawn: dict[str, dict[int, Float64[np.ndarray, " b"] | None]] = {name: {} for name in rows}
    for place in places:
        members = [row for own in rows.values() if (row := own[place]) is not None]
        paired = pair(members, metric)
        higher = board.columns[place].info.metrics[metric].higher_is_better
        means = np.array([row.estimates[metric].mean for row in members], dtype=np.float64)
        errors = 1 - means if higher else means
        if not (errors > 0).all():
            continue
        draws = drawn_means(paired.means(), seed=place) if paired.enough else None
        if draws is not None:
            lacking = np.maximum(1 - draws if higher else draws, 1e-12)
            spread = np.log(lacking) - np.log(np.median(lacking, axis=1, keepdims=True))
        for k, name in enumerate(rows):
            observed[name][place] = float(np.log(errors[k]) - np.log(np.median(errors)))
            drawn[name][place] = None if draws is None else spread[:, k]
    return {name: _Levels(observed=observed[name], drawn=drawn[name]) for name in rows}


def _level(levels: _Levels, places: Sequence[int]) -> Level | None:
    """Return the geometric mean over some data sets, with its interval."""
    if not places:
        return None
    return _as_level(
        sum(levels.observed[place] for place in places) / len(places), _average_draw(levels, places), len(places)
    )


def _as_level(logarithm: float, draws: Float64[np.ndarray, " b"] | None, sets: int) -> Level:
    low, high = (None, None) if draws is None else np.exp(np.quantile(draws, (0.025, 0.975))).tolist()
    return Level(value=math.exp(logarithm), low=low, high=high, sets=sets)


def _average_draw(levels: _Levels, places: Sequence[int]) -> Float64[np.ndarray, " b"] | None:
    draws = [levels.drawn[place] for place in places]
    known = [one for one in draws if one is not None]
    return np.mean(known, axis=0) if len(known) == len(draws) else None


def _gap(levels: _Levels, unseen: Sequence[int], seen: Sequence[int]) -> Level | None:
    """Return the zero-shot level over the in-domain level."""
    zero_shot, in_domain = _level(levels, unseen), _level(levels, seen)
    if zero_shot is None or in_domain is None:
        return None
    one, two = _average_draw(levels, unseen), _average_draw(levels, seen)
    return _as_level(
        math.log(zero_shot.value / in_domain.value),
        None if one is None or two is None else one - two,
        zero_shot.sets + in_domain.sets,
    )


def _reach(
    name: str,
    own: tuple[Row | None, ...],
    metric: str,
    board: Board,
    rank: AverageRank | None,
    shared: Sequence[int],
    levels: _Levels | None,
) -> Reach:
    def places(domain: Domain) -> tuple[int, ...]:
        return tuple(place for place, row in enumerate(own) if row and row.domain == domain)

    def sets(domain: Domain) -> tuple[str, ...]:
        return tuple(board.labels[place] for place in places(domain))

    means = [row.estimates[metric].mean for place in shared if (row := own[place]) is not None]
    known = [mean for mean in means if mean is not None]
    kept = levels or _Levels(observed={}, drawn={})
    seen, unseen = ([p for p in places(one) if p in kept.observed] for one in ("in-domain", "zero-shot"))
    worst = max(kept.observed, key=lambda place: kept.observed[place], default=None)
    return Reach(
        name=name,
        in_domain=sets("in-domain"),
        zero_shot=sets("zero-shot"),
        unknown=sets("unknown"),
        rank=rank,
        mean=sum(known) / len(known) if rank is not None else None,
        in_domain_level=_level(kept, seen),
        zero_shot_level=_level(kept, unseen),
        gap=_gap(kept, unseen, seen),
        worst=None if worst is None else (board.labels[worst], math.exp(kept.observed[worst])),
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
