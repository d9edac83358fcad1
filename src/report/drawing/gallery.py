"""The section of pictures: the same images for every model, and the worst, the median and the best of each."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8

from src.report.drawing import pictures, values
from src.report.drawing.pictures import INVALID, colour_depth, colour_error, data_uri, depth_limits
from src.report.findings.leaderboard import Table
from src.report.findings.panels import Panel, read_panel
from src.report.findings.row import Row
from src.report.findings.selection import Wanted, select
from src.report.findings.standing import Standing

MAX_BYTES: Final = 24_000_000
"""All pictures of a page together; the most important ones are drawn first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One prediction of one image under one protocol.

    Attributes:
        row: the row of the leaderboard it belongs to.
        standing: how the image stands in this row.
        prediction, error: data URIs.
        values: the predicted metres of every n-th pixel, as `src.report.drawing.values` packs them.
        broken: whether pixels that count have no finite value.
    """

    row: Row
    standing: Standing
    prediction: str
    error: str
    values: str
    broken: bool

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.prediction) + len(self.error) + len(self.values)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image with its ground truth and the predictions for it, in one colour range.

    Attributes:
        anchor: its id in the page.
        sample_id: name of the image.
        shape: (height, width) of the pictures in pixels.
        limits: (nearest, farthest) metres of the colour range; None where no pixel is valid.
        image, truth: data URIs.
        values: the true metres of every n-th pixel, as `src.report.drawing.values` packs them.
        camera: focal lengths and principal point (fx, fy, cx, cy) in pixels of the pictures, or None where unknown.
        shared: whether it is shown for every model that has kept it.
        predicted: in the order of the tables.
    """

    anchor: str
    sample_id: str
    shape: tuple[int, int]
    limits: tuple[float, float] | None
    image: str
    truth: str
    values: str
    camera: tuple[float, float, float, float] | None
    shared: bool
    predicted: tuple[Predicted, ...]

    @property
    def stride(self) -> int:
        """Which pixels have values: every n-th, from n // 2 on."""
        return values.stride(self.shape)

    @property
    def by_protocol(self) -> dict[str, list[Predicted]]:
        """Predictions by protocol, in the order of the tables."""
        groups: dict[str, list[Predicted]] = {}
        for one in self.predicted:
            groups.setdefault(one.row.protocol, []).append(one)
        return groups


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures and what their colours mean.

    Attributes:
        sets: data variant -> its pictures; those without any are left out.
        left_out: number of predictions that were kept but found no room.
        megabytes: the room that pictures have.
        depth_bar, error_bar: data URIs of the colour scales.
        error_percent: relative error of the strongest colours.
        invalid, broken: red, green, blue of pixels without ground truth, and without a finite prediction.
    """

    sets: dict[str, tuple[Picture, ...]]
    left_out: int
    megabytes: int
    depth_bar: str
    error_bar: str
    error_percent: int
    invalid: tuple[int, int, int]
    broken: tuple[int, int, int]

    @property
    def index(self) -> list[dict[str, object]]:
        """Where each picture and each prediction stands in the page, for the table of images."""
        return [
            {
                "set": data,
                "name": picture.sample_id,
                "id": picture.anchor,
                "cards": {
                    f"{one.row.name}, {protocol}": f"{picture.anchor}-{outer}-{inner}"
                    for outer, (protocol, members) in enumerate(picture.by_protocol.items(), start=1)
                    for inner, one in enumerate(members, start=1)
                },
            }
            for data, pictures in self.sets.items()
            for picture in pictures
        ]


def build_gallery(tables: Sequence[Table], *, count: int) -> Gallery:
    """Draw the pictures and say what their colours mean; see `build_pictures`."""
    sets, left_out = build_pictures(tables, count=count)
    return Gallery(
        sets=sets,
        left_out=left_out,
        megabytes=MAX_BYTES // 1_000_000,
        depth_bar=data_uri(pictures.colour_bar(pictures.DEPTH_COLOURS), lossless=True),
        error_bar=data_uri(pictures.colour_bar(pictures.ERROR_COLOURS), lossless=True),
        error_percent=round(100 * pictures.ERROR_LIMIT),
        invalid=INVALID,
        broken=pictures.BROKEN,
    )


def build_pictures(
    tables: Sequence[Table], *, count: int, room: int = MAX_BYTES
) -> tuple[dict[str, tuple[Picture, ...]], int]:
    """Draw what `select` chooses for each data variant, the most important first, as long as there is room.

    Args:
        tables: in order of data variant.
        count: how many images are shown for all models.
        room: bytes of all pictures together.

    Returns:
        Data variant -> pictures, shared ones first; and how many predictions found no room.

    Raises:
        RecordsError: if a file of panels is unreadable or does not belong to the records; the message names it.
    """
    groups = [(data, list(members)) for data, members in itertools.groupby(tables, lambda table: table.key.data)]
    albums = {data: _Album(place) for place, (data, _) in enumerate(groups, start=1)}
    wanted = [(data, one) for data, members in groups for one in select(members, count=count)]
    wanted.sort(key=lambda pair: pair[1].importance)  # stable: data variants and rows stay in order
    left_out = 0
    for data, one in wanted:
        if room > 0:
            room -= albums[data].add(one)
        else:
            left_out += 1
    order = {id(row): place for place, row in enumerate(row for table in tables for row in table.measured)}
    sets = {data: album.pictures(order) for data, album in albums.items()}
    return {data: shown for data, shown in sets.items() if shown}, left_out


class _Album:
    """The pictures of one data variant, image by image.

    Args:
        place: of the data variant among all, from 1; part of the anchors.
    """

    def __init__(self, place: int) -> None:
        self._place = place
        self._pictures: dict[tuple[int, str, str], tuple[Picture, list[Predicted]]] = {}

    def add(self, wanted: Wanted) -> int:
        """Draw one prediction, and its image where that is new; return the bytes."""
        expected = None if wanted.standing is None else wanted.standing.sample_id
        panel = read_panel(wanted.file, wanted.row.protocol, expected=expected)
        assert wanted.standing is not None  # noqa: S101  # else read_panel has raised
        size = 0
        if panel.identity not in self._pictures:
            versions = sum(index == panel.index for index, *_ in self._pictures)
            anchor = f"pictures-{self._place}-{panel.index}" + f"-{versions + 1}" * bool(versions)
            given = _given(panel, anchor, shared=wanted.shared)
            self._pictures[panel.identity] = given, []
            size += len(given.image) + len(given.truth) + len(given.values)
        given, predicted = self._pictures[panel.identity]
        predicted.append(_predicted(wanted.row, wanted.standing, panel, given.limits))
        return size + predicted[-1].size

    def pictures(self, order: dict[int, int]) -> tuple[Picture, ...]:
        """Return the pictures with their predictions in the given order of rows, shared ones first."""
        whole = [
            dataclasses.replace(given, predicted=tuple(sorted(predicted, key=lambda one: order[id(one.row)])))
            for given, predicted in self._pictures.values()
        ]
        return tuple(sorted(whole, key=lambda picture: not picture.shared))


def _given(panel: Panel, anchor: str, *, shared: bool) -> Picture:
    limits = depth_limits(panel.depth, panel.valid)
    camera = panel.intrinsics
    return Picture(
        anchor=anchor,
        sample_id=panel.sample_id,
        shape=panel.size,
        limits=limits,
        image=data_uri(panel.image, lossless=False),
        truth=data_uri(
            _blank(panel) if limits is None else colour_depth(panel.depth, panel.valid, limits), lossless=True
        ),
        values=_packed(panel.depth, panel.valid),
        camera=None
        if camera is None
        else (float(camera[0, 0]), float(camera[1, 1]), float(camera[0, 2]), float(camera[1, 2])),
        shared=shared,
        predicted=(),
    )


def _predicted(row: Row, standing: Standing, panel: Panel, limits: tuple[float, float] | None) -> Predicted:
    everywhere = np.ones_like(panel.valid)
    if limits is None:
        prediction = error = _blank(panel)
    else:
        prediction = colour_depth(panel.aligned, everywhere, limits)
        error = colour_error(panel.aligned, panel.depth, panel.valid)
    return Predicted(
        row=row,
        standing=standing,
        prediction=data_uri(prediction, lossless=True),
        error=data_uri(error, lossless=True),
        values=_packed(panel.aligned, everywhere),
        broken=bool((panel.valid & ~np.isfinite(panel.aligned)).any()),
    )


def _packed(depth: np.ndarray, known: np.ndarray) -> str:
    step = values.stride((depth.shape[0], depth.shape[1]))
    return values.pack(
        values.quantise(depth[step // 2 :: step, step // 2 :: step], known[step // 2 :: step, step // 2 :: step])
    )


def _blank(panel: Panel) -> UInt8[np.ndarray, "h w 3"]:
    return np.full((*panel.size, 3), INVALID, dtype=np.uint8)
