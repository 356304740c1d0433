"""The page in Debian's chromium, as a reader has it: on a phone and a desktop, light and dark, and printed."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from toolchain.data.faces import Faces
from toolchain.report.page import write_report
from toolchain.report.report import Report

BROWSER, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
PHONE, DESKTOP, A4 = 360, 1280, 690  # CSS pixels; A4 less its margins of 14 mm

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="needs Debian's packages chromium and chromium-driver")


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.binary_location = str(BROWSER)
    opened = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    opened.set_page_load_timeout(120)
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def address(full: Report, drawn: Faces, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page") / "random.report"
    write_report(folder, full, None, {drawn.names[0]: drawn.images[0]})
    return (folder / "report.html").as_uri()


def show(browser: webdriver.Chrome, address: str, width: int, scheme: str = "light", medium: str = "") -> None:
    """Opens the page anew on a screen of that width."""
    browser.get_log("performance")
    preference = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": preference})
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(address)


def plots(browser: webdriver.Chrome) -> list[dict[str, Any]]:
    """Of each plot: its size, how many of its lines and areas are drawn, its letters' least height in CSS pixels, and the colours of
    its first letters and of the page's."""
    found: list[dict[str, Any]] = browser.execute_script(
        """return [...document.querySelectorAll('svg[role=img]')].map(svg => {
             const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
             const marks = [...svg.querySelectorAll('path, use')].filter(mark => mark.getBoundingClientRect().width > 0);
             const letters = [...svg.querySelectorAll('text')];
             const heights = letters.map(text => parseFloat(getComputedStyle(text).fontSize) * scale);
             return {label: svg.getAttribute('aria-label'), width: box.width, height: box.height, marks: marks.length,
                     letters: Math.min(...heights), ink: getComputedStyle(letters[0]).fill, page: getComputedStyle(document.body).color};
           })"""
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_plot_is_drawn_and_nothing_is_amiss(browser: webdriver.Chrome, address: str, width: int, scheme: str) -> None:
    show(browser, address, width, scheme)
    found = plots(browser)
    assert len(found) == 5 + 3 + 2
    for plot in found:
        assert plot["width"] > 200 and plot["height"] > 100 and plot["marks"] >= 5, plot
        assert plot["letters"] >= 7, "letters that can be read"
        assert plot["ink"] == plot["page"], "letters in the page's own colour, in either scheme"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width, "nothing hangs over the side"
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_nothing_is_asked_of_anybody(browser: webdriver.Chrome, address: str) -> None:
    show(browser, address, DESKTOP)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert address in asked, "requests are seen"
    assert [url for url in asked if url != address and not url.startswith("data:")] == []


def test_a_reader_with_a_keyboard_reaches_what_scrolls(browser: webdriver.Chrome, address: str) -> None:
    show(browser, address, PHONE)
    unreachable = browser.execute_script(
        """return [...document.querySelectorAll('*')]
             .filter(part => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX == 'auto')
             .filter(part => part.tabIndex != 0 || !part.getAttribute('aria-label')).map(part => part.outerHTML.slice(0, 80))"""
    )
    assert unreachable == []


def test_printed_it_is_light_fits_the_paper_and_shows_what_was_folded(browser: webdriver.Chrome, address: str) -> None:
    show(browser, address, A4, "dark", "print")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= A4
    assert browser.execute_script("return getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    shares = browser.execute_script(
        "return [...document.querySelectorAll('details')].map(part => part.offsetHeight / part.querySelector('summary').offsetHeight)"
    )
    assert shares and min(shares) > 1.5, "more than its one line"
