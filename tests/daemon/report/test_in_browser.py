"""The page as a real browser shows it, without a network: nothing is wrong, nothing is empty, nothing sticks out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.report.material import Material
from daemon.report.page import render
from daemon.report.sections import sections
from tests.daemon.report import chromium
from tests.daemon.report.chromium import Page
from tests.daemon.report.test_page import HOSTILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.program() is None, reason="there is no Chromium here"),
]
POINTS = """
[...document.querySelectorAll('.chart')].map((chart) => [
  chart.id,
  chart.calcdata.flat().length,
  chart.querySelectorAll('path.point, path.box, .lines path, .points path').length,
])
"""
"""Of each chart: how many points Plotly has worked out, and how many it has drawn."""
COLOURS = "[...document.querySelectorAll('.main-svg .xtick text')].map((text) => getComputedStyle(text).fill)"
CONTRASTS = """
(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = luminance(getComputedStyle(document.querySelector('section')).backgroundColor);
  return [...document.querySelectorAll('p, td, th, h2, dt, dd, li, summary, .badge, .word, .main-svg text')]
    .filter((one) => one.textContent.trim() && !one.closest('.hoverlayer'))
    .map((one) => luminance(getComputedStyle(one)[one.closest('svg') ? 'fill' : 'color']))
    .map((one) => (Math.max(one, ground) + 0.05) / (Math.min(one, ground) + 0.05));
})()
"""
"""Contrast of every text to what it stands on: Web Content Accessibility Guidelines 2.2, 1.4.3."""


@pytest.fixture(scope="module")
def report(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(material, sections(material)), encoding="utf-8")
    return path


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium.page() as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_has_data_nothing_complains_and_nothing_sticks_out(
    page: Page, report: Path, material: Material, width: int, dark: bool
) -> None:
    page.open(report, width=width, dark=dark)
    drawn = page.value(POINTS)
    assert len(drawn) == sum(len(one.charts) for one in sections(material))
    assert all(points > 0 and shapes > 0 for _, points, shapes in drawn), drawn
    assert page.errors == []
    assert [one for one in page.requests if not one.startswith(("file:", "data:", "blob:"))] == []
    assert page.value("document.documentElement.scrollWidth") == width
    assert min(page.value(CONTRASTS)) >= 4.5


def test_the_button_turns_light_into_dark_and_the_charts_with_it(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    light = set(page.value(COLOURS))
    page.value("document.getElementById('theme').click()")
    page.wait_for("document.documentElement.dataset.theme === 'dark'")
    page.wait_for(f"!{COLOURS}.includes('{next(iter(light))}')")
    assert page.errors == []


def test_a_range_shows_the_newest_sessions_and_another_choice_its_own_numbers(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    view = "document.querySelector('[data-choices]')"
    for count in (21, 252):
        page.value(f"document.querySelector('[data-sessions=\"{count}\"]').click()")
        page.wait_for(f"Math.round({view}.layout.xaxis.range[1] - {view}.layout.xaxis.range[0]) === {count}")
        low, high = page.value(f"{view}.layout.yaxis.range")
        seen = page.value(f"{view}.data[0].low.slice(-{count}).filter((one) => one !== null)")
        assert low < min(seen) < high
    page.value(
        "(() => { const one = document.getElementById('choice'); one.value = '1'; "
        "one.dispatchEvent(new Event('change')); })()"
    )
    page.wait_for("!document.querySelector('[data-choice=\"1\"]').hidden")
    assert page.value("document.querySelector('[data-choice=\"0\"]').hidden")
    assert page.errors == []


def test_hostile_words_run_nothing_and_are_shown(page: Page, material: Material, tmp_path: Path) -> None:
    hostile = replace(
        material,
        symbols=(HOSTILE,),
        bars={HOSTILE: material.bars["AAA.NS"]},
        runs=[replace(run, detail=HOSTILE) for run in material.runs],
    )
    path = tmp_path / "report.html"
    path.write_text(render(hostile, sections(hostile)), encoding="utf-8")
    page.open(path, width=1280)
    assert page.value("document.body.innerText.includes('<script>alert(1)</script>')")
    assert page.value("document.querySelectorAll('img, script').length") == 3
    assert page.errors == []


def test_a_page_before_the_first_session_is_whole_too(page: Page, nothing: Material, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(nothing, sections(nothing)), encoding="utf-8")
    page.open(path, width=390)
    assert page.errors == []
    assert page.value("document.documentElement.scrollWidth") == 390


def test_printed_it_is_ink_on_paper(page: Page, report: Path) -> None:
    page.open(report, width=1280, dark=True)
    printed = page.call("Page.printToPDF", printBackground=False)
    assert len(printed["data"]) > 50_000
    page.wait_for("!document.documentElement.dataset.theme")
    assert page.errors == []
