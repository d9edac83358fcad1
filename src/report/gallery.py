"""The section of pictures: the first images of every cell, by data variant."""

import dataclasses
import itertools

from src.report import pictures
from src.report.panels import Picture, build_pictures
from src.report.section import Evidence, Section


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures and what their colours mean.

    Attributes:
        sets: data variant -> its pictures; those without any are left out.
        depth_bar, error_bar: data URIs of the colour scales.
        error_percent: relative error of the strongest colours.
        invalid, broken: red, green, blue of pixels without ground truth, and without a finite prediction.
    """

    sets: dict[str, tuple[Picture, ...]]
    depth_bar: str
    error_bar: str
    error_percent: int
    invalid: tuple[int, int, int]
    broken: tuple[int, int, int]


def build(evidence: Evidence) -> list[Section]:
    """Return the section, or nothing where no run has kept any image.

    Raises:
        RecordsError: if a file of panels is broken.
    """
    groups = itertools.groupby(evidence.tables, lambda table: table.key.data)
    found = {data: tuple(build_pictures(tables, count=evidence.images)) for data, tables in groups}
    sets = {data: shown for data, shown in found.items() if shown}
    if not sets:
        return []
    view = Gallery(
        sets=sets,
        depth_bar=pictures.data_uri(pictures.colour_bar(pictures.DEPTH_COLOURS), lossless=True),
        error_bar=pictures.data_uri(pictures.colour_bar(pictures.ERROR_COLOURS), lossless=True),
        error_percent=round(100 * pictures.ERROR_LIMIT),
        invalid=pictures.INVALID,
        broken=pictures.BROKEN,
    )
    return [
        Section(
            anchor="pictures",
            title="What the errors look like",
            nav="pictures",
            template="gallery.html.jinja",
            view=view,
        )
    ]
