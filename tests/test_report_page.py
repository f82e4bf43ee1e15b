"""The report's page in a real headless Chromium: it opens fast, every chart is drawn, and nothing in it can run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromiumlib import Page, chromium, needs_chromium
from reportlib import HOSTILE, result
from test_timelines import lane, saved, timeline

from vtarget.data.savedresult import SavedResult
from vtarget.logic.htmlreport import html_report

pytest.importorskip("plotly", reason="plotly is not installed")
pytestmark = needs_chromium

DRAWN = "document.documentElement.dataset.drawn"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def report(folder: Path, *results: SavedResult) -> Path:
    from vtarget.shell.reportfile import report_assets

    path = folder / "report.html"
    path.write_text(html_report(results, report_assets()), encoding="utf-8")
    return path


def test_every_chart_of_200_layers_is_drawn(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(200)), DRAWN)
    wanted = page.run("document.querySelectorAll('[data-figure]').length")
    assert wanted == 12 and page.run(DRAWN) == "12"
    # Each has something to see: bars, lines, points, slices.
    empty = page.run(
        "[...document.querySelectorAll('[data-figure]')]"
        ".filter(e => !e.querySelector('.point path, .slice path, .scatterlayer path')).map(e => e.ariaLabel)"
    )
    assert empty == []
    assert page.run("document.querySelectorAll('#t1 tbody tr').length") == 200
    assert page.complaints() == [] and len(page.requests()) == 1


def test_hostile_names_are_text(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(20, HOSTILE, title=HOSTILE[0]), result(20, HOSTILE)), DRAWN)
    assert page.run("window.hacked") is None
    assert page.run("document.querySelectorAll('script').length") == 3
    assert (
        page.run(
            "document.querySelectorAll('img, iframe, object, embed, form, base, a[href^=\"javascript\" i]').length"
        )
        == 0
    )
    assert (
        page.run(
            "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name))).length"
        )
        == 0
    )
    assert page.run("document.title") == "2 results"
    cells = page.run("[...document.querySelectorAll('td')].map(td => td.textContent)")
    assert "f0 " + HOSTILE[0] in cells and "f8 " + HOSTILE[8] in cells
    ticks = page.run("[...document.querySelectorAll('.ytick text')].map(t => t.textContent)")
    assert any(tick.startswith("f0 </script><script>") for tick in ticks)
    assert page.complaints() == [] and len(page.requests()) == 1


def test_a_timeline_is_drawn_and_can_be_read(page: Page, tmp_path: Path) -> None:
    names = [lane("exception", name, 10 * at, 10 * at + 5, handler=name) for at, name in enumerate(HOSTILE)]
    many = lane("sleep", "sleep", *range(1000, 3000))
    page.show()
    page.open(report(tmp_path, saved(timeline(*names, many, lane("span", HOSTILE[0], 0, 4000)))), DRAWN)
    chart = "document.querySelector('[aria-label^=\"Timeline: \"]')"
    boxes = page.run(
        f"[...{chart}.querySelectorAll('.scatterlayer .js-fill')].map(e => e.getBoundingClientRect().width)"
    )
    assert len(boxes) == len(HOSTILE) + 2 + 2  # a row of the clock, in two colours
    lines = page.run(f"{chart}.querySelectorAll('.scatterlayer path.js-line').length")
    assert lines == len(HOSTILE) + 1000 + 1 + 3  # an outline each
    assert "; asleep (sleep) 1,000 times; " in page.run(f"{chart}.ariaLabel")
    assert page.run("[...document.querySelectorAll('caption')].map(c => c.textContent)").count("Moments in order") == 1
    assert page.run("window.hacked") is None and page.complaints() == []


def test_the_policy_stops_what_would_be_injected(page: Page, tmp_path: Path) -> None:
    path = report(tmp_path, result())
    text = path.read_text(encoding="utf-8").replace(
        "<main", "<script>window.hacked=1</script><img src='http://127.0.0.1:9/x' onerror='window.hacked=2'><main"
    )
    path.write_text(text, encoding="utf-8")
    page.show()
    page.open(path, DRAWN)
    assert page.run("window.hacked") is None
    assert sum("Content Security Policy" in told for told in page.complaints()) >= 2


def test_tables_sort_and_filter_by_keyboard(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(12)), DRAWN)
    cycles = "[...document.querySelectorAll('#t1 tbody tr')].map(r => Number(r.cells[5].dataset.v))"
    unsorted = page.run(cycles)
    page.run("document.querySelector('#t1 th:nth-child(6) button').focus()")
    page.press("Enter", 13)
    assert page.run(cycles) == sorted(unsorted, reverse=True)
    assert page.run("document.querySelector('#t1 th:nth-child(6)').ariaSort") == "descending"
    page.press("Enter", 13)
    assert page.run(cycles) == sorted(unsorted)
    page.run("document.querySelector('[data-filters=t1]').focus()")
    page.call("Input.insertText", text="depthwise")
    shown = "[...document.querySelectorAll('#t1 tbody tr')].filter(r => !r.hidden).map(r => r.cells[1].textContent)"
    assert page.run(shown) == ["DEPTHWISE_CONV_2D"] * 3
    assert page.run("document.getElementById('status').textContent") == "3 rows shown"


def test_what_the_keyboard_reaches_shows_that_it_has_the_focus(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(12)), DRAWN)
    outlines = []
    for _ in range(25):
        page.press("Tab", 9)
        outlines.append(page.run("getComputedStyle(document.activeElement).outlineStyle"))
    assert page.run("document.activeElement.closest('main') !== null")
    assert set(outlines) == {"solid"}


def test_everything_has_a_name_for_screen_readers(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(12), result(12)), DRAWN)
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(str(node.get("name", {}).get("value", "")).strip())
    assert len(roles["image"]) == 27 and all(roles["image"])
    for role in ("button", "link", "searchbox", "table", "heading", "region", "navigation"):
        assert roles[role] and all(roles[role]), role
    assert page.run("document.documentElement.lang") == "en"


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_without_scrolling_sideways(page: Page, tmp_path: Path, dark: bool) -> None:
    page.show(width=390, height=844, mobile=True, dark=dark)
    page.open(report(tmp_path, result(30, HOSTILE)), DRAWN)
    assert page.run("document.documentElement.scrollWidth") <= 390
    widest = page.run(
        "Math.max(...[...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().right))"
    )
    assert widest <= 390


def luminance(color: str) -> float:
    """Relative luminance of ``rgb(r, g, b)`` (WCAG 2.2)."""
    channels = [int(part) / 255 for part in color[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(page: Page, tmp_path: Path, dark: bool) -> None:
    page.show(dark=dark)
    page.open(report(tmp_path, result(12)), DRAWN)
    ground = luminance(page.run("getComputedStyle(document.body).backgroundColor"))
    assert (ground < 0.05) == dark
    texts = page.run(
        "['body', 'a', 'dt', 'th button', '.note'].map(s => getComputedStyle(document.querySelector(s)).color)"
        ".concat(getComputedStyle(document.querySelector('.xtick text')).fill)"
    )
    for text in map(luminance, texts):
        assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5


def test_charts_follow_when_the_colours_change(page: Page, tmp_path: Path) -> None:
    page.show()
    page.open(report(tmp_path, result(5)), DRAWN)
    ink = "getComputedStyle(document.querySelector('.xtick text')).fill"
    light = page.run(ink)
    page.show(dark=True)
    page.wait(f"{ink} !== {light!r}")
    assert luminance(page.run(ink)) > luminance(light)
