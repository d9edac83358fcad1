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

from src.report.cells import find
from src.report.leaderboard import build_tables
from src.report.page import render_page

from .conftest import write_cell

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
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

    for name, quality, speed in (("good", 0.05, 4.0), ("poor", 0.3, 40.0)):
        write_cell(folder / "outputs" / name, model=name, quality=quality, images_per_second=speed, panels=4)
    findings = find([folder / "outputs"])
    written = datetime.datetime(2026, 11, 23, 14, 2, tzinfo=datetime.UTC)
    file = folder / "report.html"
    file.write_text(render_page(findings, build_tables(findings.cells), written=written, images=2), encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    words = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000")
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


def test_columns_sort_both_ways(page: Any) -> None:
    button = one(page, ".scores thead th[aria-sort] button")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)

    def names() -> list[str]:
        return page.execute_script(
            "return [...arguments[0].closest('table').tBodies[0].rows].map((row) => row.cells[0].dataset.value)", button
        )

    before = names()
    button.click()
    assert names() == before[::-1]
    button.click()
    assert names() == before


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
    folded = page.find_elements("css selector", ".extremes:not([open]) .picture")
    assert folded
    page.execute_script("location.hash = arguments[0].id", folded[-1])
    wait(page, "document.querySelector('.extremes').open")


def test_charts_have_names_and_numbers(page: Any) -> None:
    charts = page.find_elements("css selector", "figure.chart svg[role=img]")
    assert charts
    for chart in charts:
        assert chart.get_attribute("aria-labelledby").split()
        assert chart.find_element("css selector", "desc").get_attribute("textContent")
