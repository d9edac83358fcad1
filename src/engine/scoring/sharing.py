"""Score images under the protocols whose fits several of them share, once all of them have been predicted."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64

from src.core.aligned import Fit
from src.core.packing import side_by_side
from src.core.prediction import Prediction
from src.core.sample import Sample
from src.protocol.evaluation import EvalProtocol
from src.protocol.fit_over.shared import Group, SharedFit
from src.protocol.scores import Scores, Status
from src.records.table import Scored
from src.records.writer import finite

Pixels = Callable[[str], tuple[Prediction, Sample]]
"""Returns the valid pixels of an image, by its name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedFound:
    """A fit that was made on several images.

    Attributes:
        group: what it was made on and what is scored with it, as places in the records.
        used: how many of the images it was made on; those whose prediction is not finite are left out. With 0 there is
            no fit, and images are scored by those of other draws.
        fit: (1,).
        determined: whether true depth settles it.
    """

    group: Group
    used: int
    fit: Fit
    determined: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedScores:
    """What a protocol with shared fits makes of a cell.

    Attributes:
        records: of all images.
        fits: plain values of each: its name, the images it was made on where these are not those it scores, how many
            of how many could be used, scale, shift, number of images scored, and their mean errors.
        fit_of: a fit that scores an image, the first if there are several, by the image's index.
    """

    records: Scored
    fits: list[dict[str, Any]]
    fit_of: dict[int, Fit]


def score_shared(protocol: EvalProtocol, scored: Scored, pixels: Pixels) -> SharedScores:
    """Fit and score the images of a cell under a protocol whose fits they share.

    Images are taken in the order of the split, whoever has predicted them.

    Args:
        protocol: that has a shared fit.
        scored: what is known of the images without it: status and number of valid pixels.
        pixels: of each image that has any.
    """
    assert protocol.shared_fit is not None  # noqa: S101  # the caller's promise
    places = np.flatnonzero(scored.valid_pixels > 0)
    names = scored.sample_id[places].tolist()
    groups = [_at(group, places) for group in protocol.shared_fit.groups(names, scored.cluster[places].tolist())]
    found = [_fitted(protocol, group, scored, pixels) for group in groups]
    table = _Table(protocol, scored, found)
    threads = torch.get_num_threads()
    wanted = [place for place in places.tolist() if scored.status[place] == "ok" and table.fits_of(place)]
    for start in range(0, len(wanted), threads):
        some = wanted[start : start + threads]
        read = [pixels(str(scored.sample_id[place])) for place in some]
        marked = [(one, dataclasses.replace(image, index=(at,))) for (one, image), at in zip(read, some, strict=True)]
        for place, scores in zip(some, side_by_side(table.score, marked), strict=True):
            table.take(place, scores)
    return SharedScores(
        records=table.records(protocol.shared_fit),
        fits=[table.describe(one) for one in found],
        fit_of={int(scored.index[place]): table.fits_of(place)[0].fit for place in wanted},
    )


def _at(group: Group, places: np.ndarray) -> Group:
    fitted, scored = (tuple(places[list(part)].tolist()) for part in (group.fitted, group.scored))
    return Group(name=group.name, fitted=fitted, scored=scored)


def _fitted(protocol: EvalProtocol, group: Group, scored: Scored, pixels: Pixels) -> SharedFound:
    usable = [str(scored.sample_id[place]) for place in group.fitted if scored.status[place] == "ok"]
    if not usable:
        nothing = torch.full((1,), torch.nan, dtype=torch.float64)
        return SharedFound(group=group, used=0, fit=Fit(scale=nothing, shift=nothing), determined=True)

    def images() -> Iterator[tuple[Prediction, Sample]]:
        return map(pixels, usable)

    return SharedFound(
        group=group,
        used=len(usable),
        fit=protocol.alignment.fit_together(images),
        determined=protocol.alignment.unknowns < 2 or _differ(images()),
    )


def _differ(images: Iterator[tuple[Prediction, Sample]]) -> bool:
    """Whether true depth has two values."""
    low, high = np.inf, -np.inf
    for _, sample in images:
        low, high = min(low, float(sample.depth.min())), max(high, float(sample.depth.max()))
        if low < high:
            return True
    return False


class _Table:
    """The columns of a protocol while its images are scored.

    Args:
        protocol: that scores.
        scored: what is known without a fit.
        found: the fits.
    """

    def __init__(self, protocol: EvalProtocol, scored: Scored, found: Sequence[SharedFound]) -> None:
        self._protocol = protocol
        self._scored = scored
        self._of: dict[int, list[SharedFound]] = {}
        self._without_images: set[int] = set()
        for one in found:
            if not one.used:
                self._without_images.update(one.group.scored)
            elif one.determined:
                for place in one.group.scored:
                    self._of.setdefault(place, []).append(one)
        self._taken: dict[int, Scores] = {}
        self._sums = {id(one): np.zeros((2, len(protocol.metric_names))) for one in found}

    def fits_of(self, place: int) -> list[SharedFound]:
        """Return the fits that score an image."""
        return self._of.get(place, [])

    def score(self, prediction: Prediction, sample: Sample) -> list[Scores]:
        """Return the scores of one image by each of its fits."""
        (place,) = sample.index
        return [self._protocol.score(prediction, sample, one.fit) for one in self._of[place]]

    def take(self, place: int, scores: Sequence[Scores]) -> None:
        """Keep the mean over the fits of an image; it has failed where it has failed under one."""
        for one, by_fit in zip(self._of[place], scores, strict=True):
            errors = np.array([by_fit.errors[name].item() for name in self._protocol.metric_names])
            self._sums[id(one)] += np.stack([np.nan_to_num(errors), np.isfinite(errors)])
        self._taken[place] = _mean(scores)

    def records(self, scope: SharedFit) -> Scored:
        """Return the columns of all images."""
        before, names = self._scored, self._protocol.metric_names
        status, reason = before.status.astype(object), before.reason.astype(object)
        scale, shift = (np.full(len(before), np.nan) for _ in range(2))
        errors = {name: np.full(len(before), np.nan) for name in names}
        by_depth = np.full(before.depth_abs_rel.shape, np.nan)
        pixels = before.depth_pixels.copy()
        for place in range(len(before)):
            scores = self._taken.get(place)
            if scores is not None:
                scale[place], shift[place] = scores.scale.item(), scores.shift.item()
                pixels[place], by_depth[place] = scores.depth_pixels[0].numpy(), scores.depth_abs_rel[0].numpy()
                status[place] = Status(int(scores.status)).name.lower()
                if status[place] == "failed":
                    reason[place] = self._reason(place)
                for name in names:
                    errors[name][place] = scores.errors[name].item()
            elif status[place] == "ok" and place in self._without_images:
                status[place] = "failed"
                reason[place] = f"{before.sample_id[place]}: all images that its fit would be made on have failed"
            elif status[place] == "ok":
                status[place] = "skipped"
                reason[place] = f"{before.sample_id[place]}: {scope.lacking}, or true depth of one value settles no fit"
        return dataclasses.replace(
            before,
            status=status.astype(np.str_),
            reason=reason.astype(np.str_),
            scale=scale,
            shift=shift,
            errors=errors,
            depth_pixels=pixels,
            depth_abs_rel=by_depth,
        )

    def _reason(self, place: int) -> str:
        fits = "; ".join(
            f"{one.group.name}: scale {one.fit.scale.item():g}, shift {one.fit.shift.item():g}"
            for one in self._of[place]
        )
        return f"{self._scored.sample_id[place]}: an error is not finite, or the factor not above 0, as fitted ({fits})"

    def describe(self, found: SharedFound) -> dict[str, Any]:
        """Return a fit as plain values."""
        group, (sums, counts) = found.group, self._sums[id(found)]
        named: Bool[np.ndarray, " m"] = counts > 0
        means: Float64[np.ndarray, " m"] = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=named)
        on = [] if group.fitted == group.scored else [str(self._scored.sample_id[place]) for place in group.fitted]
        return {
            "name": group.name,
            "images": on,
            "fitted": found.used,
            "of": len(group.fitted),
            "scored": int(counts.max(initial=0)),
            "scale": finite(found.fit.scale.item()),
            "shift": finite(found.fit.shift.item()),
            "errors": {name: finite(value) for name, value in zip(self._protocol.metric_names, means, strict=True)},
        }


def _mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean over several fits of one image; its scale and shift where there is only one fit."""
    if len(scores) == 1:
        return scores[0]
    nothing = torch.full((1,), torch.nan, dtype=torch.float64)
    worst = torch.stack([one.status for one in scores]).amax(0)
    return dataclasses.replace(
        scores[0],
        errors={name: torch.stack([one.errors[name] for one in scores]).mean(0) for name in scores[0].errors},
        status=worst,
        scale=nothing,
        shift=nothing,
        depth_abs_rel=torch.stack([one.depth_abs_rel for one in scores]).mean(0),
    )


def shared_only(protocols: Mapping[str, EvalProtocol]) -> dict[str, EvalProtocol]:
    """Return the protocols whose fits images share."""
    return {name: protocol for name, protocol in protocols.items() if protocol.shared_fit is not None}
