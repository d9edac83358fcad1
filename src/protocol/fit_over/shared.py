"""Fits that several images share: all of a sequence, all of a data set, or some that others are calibrated on."""

import abc
import dataclasses
from collections.abc import Iterable, Sequence

from src.core.errors import ConfigError
from src.core.seeding import derive_seed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One fit and the images that it is for.

    Attributes:
        name: of the fit, such as that of a sequence.
        fitted: places of the images that it is made on, ascending.
        scored: places of the images that are scored with it, ascending.
    """

    name: str
    fitted: tuple[int, ...]
    scored: tuple[int, ...]


class SharedFit(abc.ABC):
    """Which images share a fit. A subclass writes `groups`, `label` and `lacking`."""

    @abc.abstractmethod
    def groups(self, names: Sequence[str], clusters: Sequence[str]) -> list[Group]:
        """Say which images are fitted together and which are scored with that.

        Names decide, not what a model predicts, so that every model is fitted on the same images.

        Args:
            names: of the images that have ground truth, in the order of the split.
            clusters: of each; "" where it is not known.

        Returns:
            The fits. An image may be scored by several, and its errors are then the means of theirs, or by none.
        """

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """It in a word, as manifests have it."""

    @property
    @abc.abstractmethod
    def lacking(self) -> str:
        """Say why an image that is in no group cannot be scored."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sequences(SharedFit):
    """One fit for each sequence: the images of one cluster of the data set (a clip, drive, scan or scene).

    An image that the data set knows no cluster of is skipped.
    """

    def groups(self, names: Sequence[str], clusters: Sequence[str]) -> list[Group]:
        """See the base class."""
        places: dict[str, list[int]] = {}
        for place, cluster in enumerate(clusters):
            if cluster:
                places.setdefault(cluster, []).append(place)
        return [Group(name=cluster, fitted=tuple(own), scored=tuple(own)) for cluster, own in places.items()]

    @property
    def label(self) -> str:
        """See the base class."""
        return "sequence"

    @property
    def lacking(self) -> str:
        """See the base class."""
        return "it belongs to no sequence that the data set knows of"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet(SharedFit):
    """One fit for all images."""

    def groups(self, names: Sequence[str], clusters: Sequence[str]) -> list[Group]:
        """See the base class."""
        everything = tuple(range(len(names)))
        return [Group(name="all images", fitted=everything, scored=everything)] if everything else []

    @property
    def label(self) -> str:
        """See the base class."""
        return "data_set"

    @property
    def lacking(self) -> str:
        """See the base class."""
        return "no image has ground truth"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration(SharedFit):
    """A fit on a few images, with which those of other clusters are scored; several times, each on other images.

    Clusters are dealt out to folds. Of each fold so many images are drawn, of different clusters as far as it has them,
    and the images of all other folds are scored with their fit. So no image is scored with a fit that it, or one of its
    cluster, is a part of; the draws are disjoint; and each image is scored by all draws but at most one. Its errors are
    the means over them. Order and draws follow from names and the seed alone: they are alike for all models.

    Attributes:
        images: that a fit is made on.
        folds: draws; fewer where there are fewer clusters, or too few images.
        seed: of the draws.
    """

    images: int
    folds: int
    seed: int

    def __post_init__(self) -> None:
        if self.images < 1 or self.folds < 2:
            msg = f"calibration: expected images >= 1 and folds >= 2, got images={self.images}, folds={self.folds}"
            raise ConfigError(msg)

    def groups(self, names: Sequence[str], clusters: Sequence[str]) -> list[Group]:
        """See the base class; a fold with too few images makes no fit."""
        members: dict[tuple[str, str], list[int]] = {}
        for place, (name, cluster) in enumerate(zip(names, clusters, strict=True)):
            members.setdefault(("cluster", cluster) if cluster else ("image", name), []).append(place)
        shuffled = self._shuffled(members, "fold")
        folds = min(self.folds, len(members), len(names) // self.images)
        found = []
        for number in range(folds if folds > 1 else 0):
            own = shuffled[number::folds]
            drawn = self._drawn([members[cluster] for cluster in self._shuffled(own, "draw")], names)
            held = {place for cluster in own for place in members[cluster]}
            if len(drawn) == self.images:
                scored = tuple(place for place in range(len(names)) if place not in held)
                found.append(Group(name=f"draw {number + 1}", fitted=tuple(sorted(drawn)), scored=scored))
        return found

    def _shuffled(self, clusters: Iterable[tuple[str, str]], purpose: str) -> list[tuple[str, str]]:
        return sorted(clusters, key=lambda cluster: (derive_seed(self.seed, purpose, *cluster), cluster))

    def _drawn(self, clusters: Sequence[Sequence[int]], names: Sequence[str]) -> list[int]:
        """Take one image of each cluster, then a second, until there are enough."""
        shuffled = [sorted(own, key=lambda place: derive_seed(self.seed, "image", names[place])) for own in clusters]
        rounds = range(max(map(len, shuffled)))
        in_turn = [own[turn] for turn in rounds for own in shuffled if turn < len(own)]
        return in_turn[: self.images]

    @property
    def label(self) -> str:
        """See the base class."""
        return f"calibration({self.images}, {self.folds})"

    @property
    def lacking(self) -> str:
        """See the base class."""
        plural = "s" * (self.images > 1)
        return (
            f"no calibration is left for it: that takes two groups of clusters, each with {self.images} image{plural} "
            "that have ground truth, none of them alike by construction"
        )
