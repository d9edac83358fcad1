"""The sections of the page, in order: how each is called, and which template draws what.

To add one: compute what it shows in a module of its own, write a template beside the others, and a builder here. The
page supplies the surrounding element, the heading and the entry in its navigation; the template fills in the rest, and
finds what was computed under the name `view`. A section that has nothing to show is left out.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from src.report.drawing.cost import other_charts, speed_charts
from src.report.drawing.figures import Figures, depth_charts, figures, resolution_charts
from src.report.drawing.gallery import build_gallery
from src.report.drawing.images import build_sheets
from src.report.drawing.robustness import severity_charts
from src.report.findings.datasets import data_sets
from src.report.findings.deployed import deployments
from src.report.findings.evidence import Evidence
from src.report.findings.generalisation import generalisation
from src.report.findings.robustness import CELLS
from src.report.findings.seeds import spreads
from src.report.findings.summary import answers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the page.

    Attributes:
        anchor: its id in the page; ids of its elements start with it.
        title: of its heading.
        template: file among the templates.
        view: what the template draws, as `view`.
        kind: a word above the heading, or "".
        nav: its name in the navigation; the title if "".
        data: variant that it is about; the page shows it only while that is chosen; "" for any.
        quiet: whether its heading is for those who do not see the page.
        brief: whether it is printed unless everything is asked for.
        styles, scripts: files among the templates that the page includes once, however many sections ask for them.
    """

    anchor: str
    title: str
    template: str
    view: object
    kind: str = ""
    nav: str = ""
    data: str = ""
    quiet: bool = False
    brief: bool = False
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


Builder = Callable[[Evidence], Sequence[Section]]


def summary(evidence: Evidence) -> list[Section]:
    """What each board says, in a line; nothing where only corrupted images were measured."""
    section = Section(
        anchor="summary",
        title="Summary",
        nav="summary",
        template="summary.html.jinja",
        view=answers(evidence.boards),
        quiet=True,
        brief=True,
    )
    return [section] if evidence.boards else []


def leaderboard(evidence: Evidence) -> list[Section]:
    """Models against data sets."""
    return [
        Section(
            anchor="leaderboard",
            title="Leaderboard",
            nav="leaderboard",
            template="board.html.jinja",
            view=evidence.boards,
            quiet=True,
            brief=True,
            styles=("board.css",),
            scripts=("board.js",),
        )
    ]


def differences(evidence: Evidence) -> list[Section]:
    """Which differences between models are real; nothing where no table has two ranked rows with two images."""
    section = Section(
        anchor="differences",
        title="Is the difference real?",
        nav="differences",
        template="differences.html.jinja",
        view=evidence.differences,
        styles=("differences.css",),
    )
    return [section] if evidence.differences else []


def deployed(evidence: Evidence) -> list[Section]:
    """What was shipped beside its original; nothing where nothing of the kind was measured."""
    view = deployments(evidence.tables)
    section = Section(
        anchor="deployed",
        title="Does the deployed model keep its accuracy?",
        nav="deployed",
        template="deployed.html.jinja",
        view=view,
    )
    return [section] if view else []


def seeds(evidence: Evidence) -> list[Section]:
    """How much is chance; nothing where nothing was run under several seeds."""
    found = spreads(evidence.tables)
    section = Section(anchor="seeds", title="How much is chance?", nav="seeds", template="seeds.html.jinja", view=found)
    return [section] if found else []


def domains(evidence: Evidence) -> list[Section]:
    """Beyond the training data; nothing where cards, groups and bins of depth say nothing."""
    view = generalisation(evidence.tables, evidence.boards)
    section = Section(
        anchor="generalisation",
        title="Does it generalise?",
        nav="generalisation",
        template="generalisation.html.jinja",
        view=view,
    )
    return [section] if view.domains or view.kinds or view.distances else []


def robustness(evidence: Evidence) -> list[Section]:
    """Corrupted images; nothing where none was."""
    found = evidence.trials
    section = Section(
        anchor="robustness",
        title="Does it survive bad pictures?",
        nav="robustness",
        template="robustness.html.jinja",
        view={
            "trials": found,
            "charts": severity_charts(found),
            "all_cells": CELLS,
            "asked": evidence.baseline is not None,
        },
        styles=("chart.css",),
        scripts=("chart.js",),
    )
    return [section] if found else []


def papers(evidence: Evidence) -> list[Section]:
    """Printed numbers beside measured ones; nothing where no cell answers to a printed number."""
    section = Section(
        anchor="papers",
        title="Paper versus measured",
        nav="paper versus measured",
        template="papers.html.jinja",
        view=evidence.papers,
        styles=("papers.css",),
    )
    return [section] if evidence.papers else []


def each_data_set(evidence: Evidence) -> list[Section]:
    """All that was measured on a data variant, one section for each."""
    return [
        Section(
            anchor=f"data-{place}",
            title=one.data,
            kind="Data set",
            nav=f"all of {one.data}",
            data=one.data,
            template="dataset.html.jinja",
            view=one,
        )
        for place, one in enumerate(data_sets(evidence.tables, evidence.findings), start=1)
    ]


def cost(evidence: Evidence) -> list[Section]:
    """Accuracy against speed and other costs; nothing without two models whose cost is known."""
    note = (
        "Speed is that of the network alone where it is known of every model of a chart, else that of the whole "
        "loop, and the axis says which; one chart per device, since speeds of different devices say nothing about "
        "models. The line shows what the ranked models that no other one beats in both have to offer."
    )
    speed = figures(evidence.tables, speed_charts, anchor="cost", note=note)
    more = figures(evidence.tables, other_charts, anchor="cost-other", note="")
    view = dataclasses.replace(
        speed,
        others=more.first,
        folded="Against operations, parameters and memory",
    )
    return _charts("cost", "Accuracy against speed", "speed", view)


def resolution(evidence: Evidence) -> list[Section]:
    """Accuracy by resolution; nothing without cells that differ in nothing else."""
    note = (
        "One line joins the cells of one model that differ in nothing but the resolution that was asked for. The axis "
        "is the size the network saw: the root of its mean number of pixels. Bars are 95 % intervals."
    )
    view = figures(evidence.tables, resolution_charts, anchor="resolution", note=note)
    return _charts("resolution", "Accuracy by resolution", "resolution", view)


def depth(evidence: Evidence) -> list[Section]:
    """Errors by depth; nothing where the records have no bins of depth."""
    note = (
        "Mean absolute relative error of all pixels whose true depth lies in a bin, all images taken together; a value "
        "stands at the geometric middle of its bin, a bar for two standard errors over images. Bins with fewer than "
        "two images have no bar."
    )
    view = figures(evidence.tables, depth_charts, anchor="depth", note=note)
    return _charts("depth", "Error by depth", "depth", view)


def _charts(anchor: str, title: str, nav: str, view: Figures) -> list[Section]:
    section = Section(
        anchor=anchor,
        title=title,
        nav=nav,
        template="figures.html.jinja",
        view=view,
        styles=("chart.css",),
        scripts=("chart.js",),
    )
    return [section] if view.first or view.others else []


def images(evidence: Evidence) -> list[Section]:
    """One line per image."""
    return [
        Section(
            anchor="images",
            title="Image by image",
            nav="images",
            template="images.html.jinja",
            view=build_sheets(evidence.tables),
            styles=("images.css",),
            scripts=("images.js",),
        )
    ]


def gallery(evidence: Evidence) -> list[Section]:
    """Pictures; nothing where no image is to be shown.

    Raises:
        RecordsError: if a file of panels is broken.
    """
    view = build_gallery(evidence.tables, count=evidence.images)
    section = Section(
        anchor="pictures",
        title="What the errors look like",
        nav="pictures",
        template="gallery.html.jinja",
        view=view,
        styles=("gallery.css",),
        scripts=("maps.js", "cloud.js", "gallery.js"),
    )
    return [section] if view.sets else []


def closing(evidence: Evidence) -> list[Section]:
    """What is unfinished, how to read the page, and where its numbers come from."""
    unfinished = Section(
        anchor="unfinished",
        title="Unfinished",
        nav="unfinished",
        template="unfinished.html.jinja",
        view=evidence.findings.unfinished,
    )
    reading = Section(
        anchor="reading", title="How to read this", nav="how to read this", template="reading.html.jinja", view=None
    )
    runs = Section(anchor="runs", title="Runs", nav="runs", template="runs.html.jinja", view=evidence.findings.cells)
    return [*([unfinished] if evidence.findings.unfinished else []), reading, runs]


BUILDERS: Final[tuple[Builder, ...]] = (
    summary,
    leaderboard,
    differences,
    deployed,
    seeds,
    domains,
    robustness,
    papers,
    each_data_set,
    cost,
    resolution,
    depth,
    images,
    gallery,
    closing,
)
"""What the page consists of, in order."""
