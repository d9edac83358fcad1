"""The page is a sequence of sections; each is one module with a builder, and one template.

To add one: write a module with a function `build(evidence) -> list[Section]`, a template beside the others, and name
the function in `src.report.page.BUILDERS`. The page supplies the surrounding element, the heading and the entry in its
navigation; the template fills in the rest, and finds what the module computed under the name `view`.
"""

import dataclasses
from collections.abc import Callable, Sequence

from src.report.cells import Findings
from src.report.leaderboard import Table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What sections are built from.

    Attributes:
        findings: the cells.
        tables: built from them, in order of data variant.
        images: how many images of each cell are shown.
    """

    findings: Findings
    tables: tuple[Table, ...]
    images: int


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
        styles, scripts: files among the templates that the page includes once, however many sections ask for them.
    """

    anchor: str
    title: str
    template: str
    view: object
    kind: str = ""
    nav: str = ""
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


Builder = Callable[[Evidence], Sequence[Section]]
