"""The page in a browser: used with keys and clicks, in all sizes and colours, and with names that want to run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imagekit.browser import Browser, Page, browser
from tests.report.html import sides

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>",
    "</style><style>body{display:none}</style>",
    '"onmouseover="window.ran=1',
    "' autofocus onfocus=window.ran=1 x='",
    "--><!--",
    "javascript:window.ran=1",
    "\u202egnp.exe",
    "שלום-עולם",
    "Z\u0351\u036b\u0343\u036a\u0302a" * 20,
    "x" * 10_000,
    "\u2028]]>{{7*7}}",
)
SHOWN = "[...document.querySelectorAll('.finding')].filter((e) => e.checkVisibility())"
NAMES = f"{SHOWN}.map((e) => e.querySelector('.opener').textContent)"
OPEN = "[...document.querySelectorAll('.detail')].filter((e) => e.checkVisibility()).length"
STATUS = "document.querySelector('#status').textContent"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name, given in {
        "everything": sides.everything(),
        "many": sides.many(),
        "hostile": sides.hostile(*HOSTILE),
        "kinds": sides.every_kind(),
        "nothing": sides.compared((), sides.everything().expected, sides.everything().actual),
    }.items():
        (made / f"{name}.html").write_text(given.page(), encoding="utf-8")
    return made


@pytest.fixture
def page(chromium: Browser, folder: Path) -> Page:
    return chromium.open(folder / "everything.html")


@pytest.mark.parametrize("name", ["everything", "many", "hostile", "kinds", "nothing"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_it_opens_without_complaint_or_request_and_fits(chromium: Browser, folder: Path, name: str, width: int) -> None:
    page = chromium.open(folder / f"{name}.html", width=width)
    assert page.complaints == []
    assert page.requests == [(folder / f"{name}.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "lines"), [(320, 4), (1280, 1)])
def test_a_row_is_a_line_or_on_a_phone_a_card(chromium: Browser, folder: Path, width: int, lines: int) -> None:
    page = chromium.open(folder / "everything.html", width=width)
    page.click("#f0 .opener")
    boxes = page.evaluate("[...document.querySelector('#f0 tr').cells].map((e) => e.getBoundingClientRect().toJSON())")
    assert len({round(box["bottom"] / 8) for box in boxes}) == lines
    assert min(box["width"] for box in boxes[1:]) > 60


def test_slash_leads_to_the_search_which_answers_each_key(page: Page) -> None:
    page.press("/", *"gomp")
    assert page.evaluate(NAMES) == ["libgomp.so.1"]
    assert page.evaluate(STATUS) == "1 of 30 findings"
    page.press("Escape")
    assert page.evaluate(STATUS) == "30 findings"


def test_all_words_count_and_they_are_sought_in_what_is_folded(page: Page) -> None:
    page.press("/", *"DNF xgboost")
    assert page.evaluate(NAMES) == ["libgomp.so.1"]


def test_labels_are_not_searched(page: Page) -> None:
    page.press("/", *"copy")
    assert page.evaluate(STATUS) == "0 of 30 findings"
    page.click("#reset")
    assert page.evaluate(STATUS) == "30 findings"


def test_filters_add_up_within_a_group_and_narrow_between_groups(page: Page) -> None:
    page.click("[data-value='breaks']")
    assert page.evaluate(STATUS) == "5 of 30 findings"
    page.click("[data-value='may-differ']")
    assert page.evaluate(STATUS) == "10 of 30 findings"
    page.click("[data-value='env']")
    assert page.evaluate(NAMES) == ["LANG", "TZ"]
    page.press(" ")
    assert page.evaluate(STATUS) == "10 of 30 findings"
    assert page.evaluate("document.querySelector('[data-value=env]').getAttribute('aria-pressed')") == "false"


def test_columns_sort_both_ways_and_numbers_by_value(chromium: Browser, folder: Path) -> None:
    page = chromium.open(folder / "many.html")
    page.click("thead th:nth-child(2) button")
    assert page.evaluate(f"{NAMES}.slice(0, 11)") == [f"package-{number}" for number in range(11)]
    page.press("Enter")
    assert page.evaluate(f"{NAMES}[0]") == "package-1499"
    assert page.evaluate("document.querySelector('[aria-sort]').textContent") == "Name"
    assert page.evaluate("document.querySelector('[aria-sort]').ariaSort") == "descending"
    page.click("thead th:nth-child(1) button")
    assert page.evaluate(f"{SHOWN}.slice(0, 3).map((e) => e.id)") == ["f0", "f1", "f2"]


def test_a_row_opens_by_click_and_by_key(page: Page) -> None:
    assert page.evaluate(OPEN) == 0
    page.click("#f1 .what")
    assert page.evaluate(OPEN) == 1
    assert page.evaluate("document.querySelector('#f1 .opener').ariaExpanded") == "true"
    page.evaluate("document.querySelector('#f1 .opener').focus()")
    page.press("Enter")
    assert page.evaluate(OPEN) == 0
    page.press(" ")
    assert page.evaluate(OPEN) == 1
    page.click("#open-all")
    assert page.evaluate(OPEN) == 30
    page.click("#open-all")
    assert page.evaluate(OPEN) == 0


@pytest.mark.parametrize("clipboard", ["granted", "denied"])
def test_a_command_is_copied(chromium: Browser, page: Page, clipboard: str) -> None:
    if clipboard == "denied":
        page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('not from file:'))")
    page.click(".fixes .copy")
    page.until("document.querySelector('.fixes .copy').textContent === 'Copied'")
    page.press("/")
    page.press("v", control=True)
    assert (
        page.evaluate("document.querySelector('#search').value")
        == "envsync create .venv --image acme/datascience:2024.3"
    )


def test_a_distribution_leads_to_what_it_needs_and_that_to_the_finding(page: Page) -> None:
    page.click("#f2 .opener")
    page.click("#f2 .detail a")
    page.until("document.querySelector('article:target h3 bdi').textContent === 'lightgbm'")
    page.until("!document.querySelector('#by-need').checkVisibility()")
    page.click("#by-distribution article:target a")
    page.until("document.querySelector('.needs tr:target bdi')?.textContent === 'libgomp.so.1'")
    page.until("document.querySelector('#by-need').checkVisibility()")
    page.click("[data-value='harmless']")
    page.click(".needs tr:target a")
    page.until("document.querySelector('.finding:target').matches('.open:not([hidden])')")
    page.until("document.activeElement.textContent === 'libgomp.so.1'")


def test_needs_are_shown_from_one_end_at_a_time(page: Page) -> None:
    seen = "[...document.querySelectorAll('.view')].filter((e) => e.checkVisibility()).map((e) => e.id)"
    assert page.evaluate(seen) == ["by-need"]
    page.click("[data-view='by-distribution']")
    assert page.evaluate(seen) == ["by-distribution"]


def test_the_first_stop_of_the_keyboard_skips_to_the_findings_and_focus_is_seen(page: Page) -> None:
    page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.press("Enter")
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_the_systems_until_the_other_is_asked_for(chromium: Browser, folder: Path, dark: bool) -> None:
    page = chromium.open(folder / "everything.html", dark=dark)
    assert (_lightness(page, "backgroundColor") < 0.2) is dark
    page.click("#theme")
    assert (_lightness(page, "backgroundColor") < 0.2) is not dark
    assert page.evaluate("document.querySelector('#theme').textContent") == ("Dark" if dark else "Light")
    page.send("Page.reload")
    chromium.wait("Page.loadEventFired")
    assert (_lightness(page, "backgroundColor") < 0.2) is dark


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_told_from_its_ground(chromium: Browser, folder: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page = chromium.open(folder / "everything.html", dark=dark)
    ground = _lightness(page, "backgroundColor")
    for selector in ("body", "dt", ".count", ".verdict", "a", ".lacking", ".mark-breaks", ".chips a"):
        text = _lightness(page, "color", selector)
        ratio = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert ratio >= 4.5, selector


def _lightness(page: Page, style: str, selector: str = ":root") -> float:
    """The relative luminance of a colour: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    pixel = page.evaluate(
        "(() => { const paper = new OffscreenCanvas(1, 1).getContext('2d');"
        f" paper.fillStyle = getComputedStyle(document.querySelector({selector!r})).{style};"
        " paper.fillRect(0, 0, 1, 1); return [...paper.getImageData(0, 0, 1, 1).data]; })()"
    )
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in pixel[:3]]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_on_paper_all_that_matters_is_open_and_there_are_no_controls(page: Page) -> None:
    page.send("Emulation.setEmulatedMedia", media="print")
    harmless = page.evaluate("document.querySelectorAll('[data-verdict=harmless]').length")
    assert (page.evaluate(OPEN), page.evaluate(f"{SHOWN}.length"), harmless) == (16, 30, 14)
    assert page.evaluate("[...document.querySelectorAll('.view')].every((e) => e.checkVisibility())") is True
    controls = "nav, .filters, .copy, .views, #open-all"
    assert page.evaluate(f"[...document.querySelectorAll('{controls}')].some((e) => e.checkVisibility())") is False
    assert page.pdf().startswith(b"%PDF-")


def test_without_scripts_all_is_there(chromium: Browser, folder: Path) -> None:
    page = chromium.open(folder / "everything.html", scripts=False)
    assert page.evaluate(f"{SHOWN}.length") == 30
    assert page.evaluate(OPEN) == 30
    assert page.evaluate("[...document.querySelectorAll('.view')].every((e) => e.checkVisibility())") is True
    controls = ".controls, .copy, .views, #theme"
    assert page.evaluate(f"[...document.querySelectorAll('{controls}')].some((e) => e.checkVisibility())") is False


def test_names_of_an_image_do_not_run(chromium: Browser, folder: Path) -> None:
    page = chromium.open(folder / "hostile.html")
    page.click("#open-all")
    page.evaluate("for (const e of document.querySelectorAll('*')) e.dispatchEvent(new MouseEvent('mouseover'))")
    page.press("/", *"window.ran")
    assert page.evaluate("window.ran === undefined")
    assert page.evaluate("document.querySelectorAll('img, [onmouseover], [onfocus], [autofocus]').length") == 0
    assert page.evaluate("document.querySelectorAll('style, script').length") == 2
    assert page.evaluate(f"{NAMES}.length") > 0
    assert page.complaints == []


@pytest.mark.parametrize("width", [320, 1280])
def test_names_without_end_do_not_push_the_rest_away(chromium: Browser, folder: Path, width: int) -> None:
    page = chromium.open(folder / "hostile.html", width=width)
    heights = page.evaluate(f"{SHOWN}.map((e) => e.getBoundingClientRect().height)")
    assert max(heights) < 320
    page.click("#open-all")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_many_findings_are_searched_and_filtered(chromium: Browser, folder: Path) -> None:
    page = chromium.open(folder / "many.html")
    assert page.evaluate(STATUS) == "1,500 findings"
    page.press("/", *"package-1499")
    assert page.evaluate(NAMES) == ["package-1499"]
    page.press("Escape")
    page.click("[data-value='harmless']")
    assert page.evaluate(STATUS) == "1,125 of 1,500 findings"
