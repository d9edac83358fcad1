import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from src.records.aggregate import Estimate, estimates
from src.records.reader import read_cell
from src.records.schema import MetricInfo
from src.report.drawing.axis import axis
from src.report.drawing.page import render_page
from src.report.drawing.sections import BUILDERS, Builder, each_data_set
from src.report.findings.cells import find
from src.report.findings.evidence import Evidence

Make = Callable[..., Path]
VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


class Page(HTMLParser):
    """A page as a list of elements, each with its attributes, text and ancestors; checks that tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attributes}, list(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {key: value or "" for key, value in attributes}, list(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **wanted: str) -> "list[Element]":
        return [
            element
            for element in self.elements
            if element.tag == tag and all(element.attributes.get(key) == value for key, value in wanted.items())
        ]


@dataclasses.dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    ancestors: "list[Element]"
    text: str = ""

    def within(self, other: "Element") -> bool:
        return other in self.ancestors


WRITTEN = datetime.datetime(2026, 11, 23, 14, 2, tzinfo=datetime.UTC)


def page_of(*folders: Path, images: int = 2, builders: Sequence[Builder] = BUILDERS) -> Page:
    evidence = Evidence(findings=find(folders), images=images)
    return Page(render_page(evidence, written=WRITTEN, builders=builders))


def data_sets_of(*folders: Path) -> Page:
    """Of the page, the sections about one data set each."""
    return page_of(*folders, builders=(each_data_set,))


def test_numbers_are_those_of_the_records(make_cell: Make) -> None:
    folder = make_cell(images=9, quality=0.2, panels=1)
    page = data_sets_of(folder)
    found = estimates(read_cell(folder).scores)
    boards = page.all("article")
    assert len(boards) == 2
    for board, by_metric in zip(boards, found.values(), strict=True):
        for metric, estimate in by_metric.items():
            (cell,) = [one for one in page.all("td", **{"data-metric": metric}) if one.within(board)]
            assert float(cell.attributes["data-value"]) == estimate.mean
            shown, _, error = cell.text.partition("±")
            decimals = len(shown.strip().partition(".")[2])
            assert shown.strip() == f"{estimate.mean:.{decimals}f}"
            assert error.strip() == f"{estimate.standard_error:.{decimals}f}"
            assert decimals >= 2


def test_the_best_ranked_value_is_bold_and_unranked_rows_say_why(make_cell: Make) -> None:
    page = data_sets_of(
        make_cell("a", model="good", quality=0.1, protocols=("metric",)),
        make_cell("b", model="poor", quality=0.3, protocols=("metric",)),
        make_cell("c", model="untrained", quality=0.01, protocols=("metric",), random_weights=True),
        make_cell("d", model="oracle", quality=0.001, protocols=("metric",), uses_ground_truth=True),
        make_cell("e", model="breaks", quality=0.05, protocols=("metric",), statuses={2: "failed"}),
    )
    bold = [one for one in page.all("strong") if any(up.tag == "td" for up in one.ancestors)]
    rows = {
        one.attributes["data-value"]: one.ancestors[-1]
        for one in page.all("th", scope="row")
        if one.attributes.keys() > {"scope"}
    }
    assert len(bold) == 4
    assert all(one.within(rows["good"]) for one in bold)
    grey = {name for name, row in rows.items() if row.attributes.get("class") == "unranked"}
    assert grey == {"untrained", "oracle", "breaks"}
    badges = {one.text for one in page.all("span", **{"class": "badge"})}
    assert badges == {"random weights", "uses ground truth", "1 failed"}


def test_what_must_not_be_mixed_has_tables_of_its_own(make_cell: Make) -> None:
    page = data_sets_of(
        make_cell("a", protocols=("metric",)),
        make_cell("b", protocols=("metric",), version=2),
        make_cell("c", protocols=("metric",), data="garden"),
    )
    assert [len([row for row in page.all("tbody") if row.within(board)]) for board in page.all("article")] == [1, 1, 1]
    notes = [one.text for one in page.all("p", **{"class": "note apart"})]
    assert len(notes) == 2
    assert all("differ in the protocol version" in note for note in notes)


def test_facts_are_stated_above_the_table(make_cell: Make) -> None:
    page = page_of(
        make_cell("a", protocols=("affine_depth",), statuses={1: "skipped"}),
        make_cell("b", protocols=("metric",), model="marigold", not_applicable=["affine_depth"]),
    )
    (facts,) = [one.text for one in page.all("dl", **{"class": "facts"}) if "marigold" in one.text]
    for fact in (
        "Alignmentscale and shift per image",
        "Clip0.001 to 10 m",
        "Depth range0.001 to 10 m",
        "Images5, 1 skipped",
        "Devicea processor, 2 threads",
        "Not applicable tomarigold",
    ):
        assert fact in facts


def test_devices_that_differ_are_stated_per_row(make_cell: Make) -> None:
    page = page_of(
        make_cell("a", protocols=("metric",), device="one GPU"), make_cell("b", protocols=("metric",), device="a CPU")
    )
    assert not any("Device" in one.text for one in page.all("dl", **{"class": "facts"}))
    assert {one.text for one in page.all("span", **{"class": "small device"})} == {"one GPU", "a CPU"}


def test_columns_can_be_sorted_and_the_first_metric_is(make_cell: Make) -> None:
    page = data_sets_of(make_cell(protocols=("metric",)))
    sortable = [one for one in page.all("button") if any(up.tag == "thead" for up in one.ancestors)]
    assert [one.text.split()[0].rstrip(",") for one in sortable] == [
        *("Model", "AbsRel", "RMSE", "SILog", "δ₁", "Input", "Scored", "Speed")
    ]
    sorted_by = [one for one in page.elements if "aria-sort" in one.attributes]
    assert [(one.attributes["aria-sort"], "AbsRel" in one.text) for one in sorted_by] == [("ascending", True)]
    assert sortable[1].attributes["data-first"] == "ascending"
    assert sortable[4].attributes["data-first"] == "descending"


def test_names_are_text_whatever_they_contain(make_cell: Make) -> None:
    evil = "<script>alert('x')</script>\"&"
    folder = make_cell(
        panels=1, model=evil, data=evil, weights=evil, revision=evil, device=evil, prefix=evil, resolution=evil,
        not_applicable=["metric"], statuses={1: "failed"}, versions={evil: evil}, git_revision=evil,
    )  # fmt: skip
    page = page_of(folder)
    data, code = page.all("script")
    assert code.attributes == {}
    assert json.loads(data.text)["sheets"][0]["data"] == evil
    assert evil not in page.source
    assert any(one.text.endswith(evil) for one in page.all("h2"))
    assert any(evil in one.attributes["alt"] for one in page.all("img"))
    assert any(one.attributes.get("data-label", "").startswith(evil) for one in page.all("div"))


def test_the_page_asks_for_nothing_outside_itself(make_cell: Make) -> None:
    page = page_of(make_cell(panels=2))
    assert not re.search(
        r"https?:|//[a-z]+\.|@import|url\(", re.sub(r"data:image/webp;base64,[\w+/=]+", "", page.source)
    )
    for element in page.elements:
        for name in ("src", "href", "srcset", "poster", "action"):
            value = element.attributes.get(name, "data:")
            assert value.startswith(("data:", "#")), (element.tag, name, value[:40])
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_links_and_labels_lead_somewhere(make_cell: Make, tmp_path: Path) -> None:
    make_cell("a", panels=1)
    make_cell("b", data="garden")
    (tmp_path / "outputs" / "c").mkdir()
    (tmp_path / "outputs" / "c" / "config.yaml").touch()
    page = page_of(tmp_path / "outputs")
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    targets = [one.attributes["href"][1:] for one in page.all("a")]
    targets += [one.attributes["aria-labelledby"] for one in page.elements if "aria-labelledby" in one.attributes]
    assert len(targets) > 8
    assert set(targets) <= set(ids)


def test_every_picture_is_described(make_cell: Make) -> None:
    page = page_of(make_cell("a", panels=2, protocols=("metric",), model="ramp"), images=2)
    figures = page.all("figure")
    assert len(figures) == 2
    described = [one.attributes["alt"] for one in page.all("img") if one.within(figures[0]) and one.attributes["alt"]]
    assert [text.partition(" of ")[0].split()[0] for text in described] == ["Image", "Ground", "Depth", "Signed"]
    assert all("scene/000" in text for text in described)
    legend = next(one.text for one in page.all("div", **{"class": "legend"}) if one.within(figures[0]))
    assert re.search(r"near [\d.]+ m\s*[\d.]+ m far", legend)
    assert "−25 % too near" in legend
    assert "not a finite number" not in legend


def test_unfinished_cells_are_listed(make_cell: Make, tmp_path: Path) -> None:
    make_cell()
    folder = tmp_path / "outputs" / "midas" / "<b>"
    folder.mkdir(parents=True)
    (folder / "records.rank1.jsonl").touch()
    page = page_of(tmp_path / "outputs")
    (section,) = page.all("section", id="unfinished")
    assert [one.text for one in page.all("code") if one.within(section)] == ["midas/<b>"]
    assert not page_of(make_cell("alone")).all("section", id="unfinished")


def test_when_and_what_is_stated(make_cell: Make) -> None:
    page = page_of(
        make_cell("a", model="one", finished="2026-11-20T08:00:00+00:00"),
        make_cell("b", model="two", finished="2026-11-22T08:00:00+00:00"),
    )
    assert page.all("h1")[0].text == "2 models on 1 data set"
    (lede,) = page.all("p", **{"class": "lede"})
    text = " ".join(lede.text.split())
    assert text == "2 cells measured from 20 Nov 2026 to 22 Nov 2026; page written 23 Nov 2026, 14:02 UTC."


def test_what_a_run_cost_is_stated_where_it_is_known(make_cell: Make) -> None:
    cost = {"latency_median": 0.25, "latency_p95": 1.5, "peak_memory": 3 * 2**30, "flops": 12 * 10**9}
    new = make_cell("a", model="new", protocols=("metric",), batch_size=4, **cost)
    page = data_sets_of(new, make_cell("b", model="old", protocols=("metric",), quality=0.3))
    row, other = (one for one in page.all("tr") if any(cell.within(one) for cell in page.all("td")))
    assert "250 ms / 4" in row.text
    assert "3.00 GiB" in row.text
    assert "12 GFLOP" in row.text
    assert not any(unit in other.text for unit in ("ms", "GiB", "FLOP"))


def test_a_metric_that_pools_something_else_says_so(make_cell: Make) -> None:
    metrics = {"abs_rel": MetricInfo(unit="fraction", higher_is_better=False, mean_over="point pairs")}
    page = page_of(make_cell(protocols=("metric",), metrics=metrics))
    assert any(one.text == "fraction over point pairs" for one in page.all("span", **{"class": "unit"}))


def test_single_images_have_no_column_of_intervals(make_cell: Make) -> None:
    assert not page_of(make_cell("a", images=1)).all("svg", **{"class": "interval"})
    assert len(page_of(make_cell("b", images=5)).all("svg", **{"class": "interval"})) == 2


def estimate(low: float | None, mean: float | None, high: float | None) -> Estimate:
    return Estimate(mean=mean, standard_error=None, low=low, high=high, n=3, undefined=0)


@pytest.mark.parametrize(
    ("found", "start", "end"),
    [
        ([estimate(1.0, 2.0, 3.0), estimate(4.0, 5.0, 11.0)], 0.4, 11.6),
        ([estimate(0.01, 0.02, 1.01), estimate(None, None, None)], 0.0, 1.07),
        ([estimate(-1.0, 0.0, 1.0)], -1.12, 1.12),
        ([estimate(2.0, 2.0, 2.0)], 1.88, 2.12),
        ([estimate(0.0, 0.0, 0.0)], 0.0, 1.0),
    ],
)
def test_the_axis_holds_every_interval(found: list[Estimate], start: float, end: float) -> None:
    held = axis(found)
    assert held is not None
    assert (held.start, held.end) == (pytest.approx(start), pytest.approx(end))
    assert (held.percent(held.start), held.percent(held.end)) == (0, 100)


def test_no_interval_no_axis() -> None:
    assert axis([estimate(None, 1.0, None), estimate(None, None, None)]) is None
