"""The page as a person meets it: one headless Chromium opens it, sorts, switches theme, enlarges, compares, turns."""

import datetime
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.records.table import read_table
from src.report.drawing.page import render_page
from src.report.findings.cells import find
from src.report.findings.evidence import Evidence

from .conftest import write_cell

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
IMAGES = 30
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no Chromium with chromedriver here (Debian: apt-get install chromium-driver)"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Any]:
    from selenium import webdriver

    for name, quality, speed, trained in (("good", 0.05, 4.0, "rooms"), ("poor", 0.3, 40.0, "streets")):
        write_cell(
            folder / "outputs" / name, model=name, quality=quality, images_per_second=speed, panels=4, images=IMAGES,
            place=lambda i: ("indoor", "outdoor")[i % 2], statuses={5: "skipped"}, data_family="rooms",
            card={"training_data": [trained]},
        )  # fmt: skip
    write_cell(folder / "outputs" / "untrained", model="untrained", quality=0.5, random_weights=True)
    written = datetime.datetime(2026, 11, 23, 14, 2, tzinfo=datetime.UTC)
    file = folder / "report.html"
    file.write_text(
        render_page(Evidence(findings=find([folder / "outputs"]), images=2), written=written), encoding="utf-8"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    words = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000")
    words += ("--force-prefers-reduced-motion",)  # nothing is clicked while it scrolls
    for word in (*words, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.implicitly_wait(5)
        driver.get(file.as_uri())
        yield driver
        # after all that was done to it
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        driver.quit()


def one(page: Any, selector: str) -> Any:
    return page.find_element("css selector", selector)


def wait(page: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(page, 20).until(lambda driver: driver.execute_script(f"return {script}"))


def enlarge(page: Any, mode: str) -> None:
    if not page.execute_script("return document.getElementById('viewer').open"):
        button = one(page, ".picture .card .enlarge")
        page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
        button.click()
    one(page, f"#viewer [data-mode={mode}]").click()
    wait(page, f"document.getElementById('viewer').dataset.ready === '{mode}'")


def test_nothing_is_asked_for_outside_the_file(page: Any, folder: Path) -> None:
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    own = (folder / "report.html").as_uri()  # the browser's start page asks for things of its own
    asked = [sent["request"]["url"] for sent in requests if sent["documentURL"].partition("#")[0] == own]
    assert asked
    assert [url for url in asked if not url.startswith(("data:", "blob:", own))] == []


def rows(page: Any, table: str) -> list[list[str]]:
    """Return what the cells of the first such table show, row by row, hidden rows left out."""
    script = (
        "const first = (text) => ((all) => all.find((one) => /[\\d–]/.test(one)) ?? all[0])(text.split('\\n')).trim();"
        "return [...document.querySelector(arguments[0]).tBodies[0].rows].filter((row) => row.offsetParent)"
        ".map((row) => [...row.cells].map((cell) => "
        "(cell.tagName === 'TH' && cell.dataset.value) || first(cell.innerText)))"
    )
    return page.execute_script(script, table)


def press(page: Any, table: str, column: int) -> None:
    button = one(page, f"{table} thead th:nth-child({column + 1}) button")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()


def choose(page: Any, name: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(one(page, f"#{name}")).select_by_visible_text(text)


def test_the_leaderboard_sorts_both_ways_and_grey_rows_stay_last(page: Any) -> None:
    board = ".pane:not([hidden]) table.matrix"
    names = [row[0] for row in rows(page, board)]
    assert names == ["good", "poor", "untrained"]
    press(page, board, 0)
    press(page, board, 0)
    assert [row[0] for row in rows(page, board)] == ["poor", "good", "untrained"]
    press(page, board, 0)
    assert [row[0] for row in rows(page, board)] == names
    assert one(page, f"{board} thead th").get_attribute("aria-sort") == "ascending"


def test_the_leaderboard_filters_by_name_rank_protocol_and_metric(page: Any) -> None:
    board = ".board:not([hidden]) .pane:not([hidden]) table.matrix"
    one(page, "#choice-find").send_keys("TRAIN")
    assert [row[0] for row in rows(page, board)] == ["untrained"]
    one(page, "#board-ranked").click()
    assert rows(page, board) == []
    assert one(page, "#announce").get_attribute("textContent") == "0 models shown"
    one(page, "#choice-find").clear()
    one(page, "#choice-find").send_keys(" ", "\ue003")
    assert [row[0] for row in rows(page, board)] == ["good", "poor"]
    choose(page, "choice-protocol", "affine_depth")
    assert page.execute_script("return document.querySelectorAll('.board[data-board]:not([hidden])').length") == 1
    abs_rel = rows(page, board)
    one(page, ".board:not([hidden]) .metrics button:nth-child(4)").click()
    assert rows(page, board) != abs_rel
    one(page, ".board:not([hidden]) .metrics button:first-child").click()
    choose(page, "choice-protocol", "metric")
    one(page, "#board-ranked").click()


def shown(page: Any, column: int) -> list[float]:
    return [float(row[column]) for row in rows(page, ".by-image")]


def scored(folder: Path, cell: str, protocol: str = "metric") -> Any:
    return read_table(folder / "outputs" / cell / "records.parquet")[protocol]


def choose_first_sheet(page: Any) -> None:
    page.execute_script("document.getElementById('images').scrollIntoView({behavior: 'instant'})")
    wait(page, "document.querySelector('#images-sheet option')")  # filled when the table comes near
    choose(page, "images-sheet", f"rooms ({IMAGES} images): metric v1")
    wait(
        page,
        "document.querySelector('.by-image caption')?.textContent.includes("
        f"'rooms ({IMAGES} images) under metric v1: AbsRel')",
    )


def test_zero_shot_cells_are_ranked_anew(page: Any) -> None:
    board = ".board:not([hidden]) .pane:not([hidden]) [data-domain]:not([hidden]) table.matrix"
    assert one(page, f"{board} strong").find_element("xpath", "ancestor::tr").text.startswith("good")
    one(page, "#board-zero").click()
    assert [row[0] for row in rows(page, board)] == ["poor"]
    assert one(page, f"{board} strong").find_element("xpath", "ancestor::tr").text.startswith("poor")
    one(page, "#board-zero").click()
    assert "good" in [row[0] for row in rows(page, board)]


def test_images_sort_by_any_column_as_numpy_sorts_them(page: Any, folder: Path) -> None:
    choose_first_sheet(page)
    heads = [cell.text.split("\n")[0] for cell in page.find_elements("css selector", ".by-image thead th")]
    column = heads.index("poor")
    press(page, ".by-image", column)
    values = scored(folder, "poor").errors["abs_rel"]
    order = np.argsort(-values)[:25]  # NaN, of the skipped image, comes last
    np.testing.assert_allclose(shown(page, column), values[order], atol=5.1e-5)
    assert [row[0] for row in rows(page, ".by-image")] == scored(folder, "poor").sample_id[order].tolist()
    press(page, ".by-image", column)
    np.testing.assert_allclose(shown(page, column), np.sort(values)[:25], atol=5.1e-5)
    one(page, "#images-on").click()
    assert "26 to 30 of 30 images" in one(page, "#images-status").text
    assert rows(page, ".by-image")[-1][column] == "skipped"


def test_images_sort_by_the_difference_of_two_models(page: Any, folder: Path) -> None:
    choose_first_sheet(page)
    choose(page, "images-one", "poor")
    choose(page, "images-two", "good")
    poor, good = (scored(folder, name).errors["abs_rel"].round(4) for name in ("poor", "good"))
    gap = poor - good  # of the numbers beside it
    np.testing.assert_allclose(shown(page, -1), -np.sort(-gap)[:25], atol=5.1e-5)


def test_images_are_filtered_by_name_slice_and_whether_they_have_pictures(page: Any, folder: Path) -> None:
    choose_first_sheet(page)
    find_ = one(page, "#images-find")
    find_.send_keys("OUT 1")
    names = {row[0] for row in rows(page, ".by-image")}
    assert names == {f"scene/{i:03}" for i in range(1, 30, 2) if "1" in f"{i:03}"}
    find_.clear()
    find_.send_keys(" ", "\ue003")
    choose(page, "images-only", "not scored somewhere")
    assert [row[0] for row in rows(page, ".by-image")] == ["scene/005"]
    choose(page, "images-only", "with pictures")
    assert {row[0] for row in rows(page, ".by-image")} == {f"scene/{i:03}" for i in range(4)}
    link = one(page, ".by-image tbody th a")
    name = link.text
    page.execute_script("arguments[0].click()", link)
    assert wait(page, "document.querySelector('.landed h4')?.textContent") == name
    choose(page, "images-only", "all images")


def test_the_theme_switches(page: Any) -> None:
    def paper() -> str:
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    before = paper()
    button = one(page, "#theme")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    assert paper() != before
    button.click()
    assert paper() == before


def test_a_pixel_says_what_the_run_has_kept(page: Any, folder: Path) -> None:
    enlarge(page, "maps")
    frame = one(page, "#viewer .shot[data-part], #viewer .stage .shot:nth-child(3) .frame")
    frame.click()
    frame.send_keys("\ue014")  # arrow to the right, from the middle
    text = wait(page, "document.querySelector('.probe')?.innerText")
    found = dict(re.findall(r"(truth|prediction|error)\s+(\S+)", text))
    x, y = (float(frame.get_attribute(f"data-{axis}")) for axis in "xy")
    with np.load(folder / "outputs" / "good" / "panels" / "000000.npz") as arrays:
        depth, aligned = arrays["depth"], arrays["aligned_metric"]
    at = int(y * depth.shape[0]), int(x * depth.shape[1])
    assert float(found["prediction"]) == pytest.approx(float(aligned[at]), abs=2e-3)
    if depth[at] > 0:
        assert float(found["truth"]) == pytest.approx(float(depth[at]), abs=2e-3)


def test_two_models_stand_side_by_side(page: Any) -> None:
    enlarge(page, "compare")
    note = one(page, "#viewer-note").text
    assert re.match(r"Nearer to the truth: \w+ at \d+ %, \w+ at \d+ % of the pixels drawn", note)
    assert len(page.find_elements("css selector", "#viewer .stage .shot")) == 4


def test_points_are_drawn_and_turn(page: Any) -> None:
    enlarge(page, "points")
    drawn = (
        "(() => { const c = document.querySelector('.cloud'); const p = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let n = 0, h = 0;"
        "for (let i = 3; i < p.length; i += 4) if (p[i]) { n += 1; h = (h * 31 + i + p[i - 1]) % 1000003; }"
        "return n > 1000 && h; })()"
    )
    before = wait(page, drawn)
    one(page, ".cloud").send_keys("\ue014")
    wait(page, f"{drawn} !== {before} && {drawn}")
    assert "field of view of 60° is assumed" in one(page, "#viewer-note").text
    one(page, "#viewer .close").click()
    assert not page.execute_script("return document.getElementById('viewer').open")


def test_a_link_to_a_picture_opens_what_it_is_folded_into(page: Any) -> None:
    page.execute_script("for (const fold of document.querySelectorAll('.extremes')) fold.open = false")
    folded = page.find_elements("css selector", ".extremes .picture")
    assert folded
    page.execute_script("location.hash = arguments[0].id", folded[-1])
    wait(page, "document.querySelector('.extremes').open")


def test_charts_have_names_and_numbers(page: Any) -> None:
    charts = page.find_elements("css selector", "figure.chart svg[role=img]")
    assert charts
    for chart in charts:
        assert chart.get_attribute("aria-labelledby").split()
        assert chart.find_element("css selector", "desc").get_attribute("textContent")


def test_every_section_is_landed_on(page: Any) -> None:
    names = page.execute_script("return [...document.querySelectorAll('.bar nav a')].map((link) => link.hash.slice(1))")
    assert len(names) > 5
    for name in names:
        page.execute_script(
            "delete document.body.dataset.landed;document.querySelector(`.bar nav a[href='#${arguments[0]}']`).click()",
            name,
        )
        wait(page, f"document.body.dataset.landed === '{name}'")
        off, last = page.execute_script(
            "const it = document.getElementById(arguments[0]);"
            "return [it.getBoundingClientRect().top - parseFloat(getComputedStyle(it).scrollMarginTop),"
            " scrollY + innerHeight >= document.documentElement.scrollHeight - 2]",
            name,
        )
        assert abs(off) < 3 or last, name


def test_the_address_keeps_what_is_chosen(page: Any) -> None:
    board = ".board:not([hidden]) .pane:not([hidden]) [data-domain]:not([hidden]) table.matrix"
    choose(page, "choice-protocol", "affine_depth")
    one(page, ".board:not([hidden]) .metrics button:nth-child(2)").click()
    one(page, "#board-ranked").click()
    before = rows(page, board)
    page.refresh()
    wait(page, "document.getElementById('choice-protocol').value === 'affine_depth'")
    assert rows(page, board) == before
    assert one(page, "#board-ranked").is_selected()
    one(page, "#board-ranked").click()
    one(page, ".board:not([hidden]) .metrics button:first-child").click()
    choose(page, "choice-protocol", "metric")


def test_nothing_overflows_a_telephone(page: Any) -> None:
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
