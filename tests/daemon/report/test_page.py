"""The page is whole by itself, runs nothing but its own scripts, and takes every word from elsewhere for text."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from daemon.health.judge import Finding, Health, Ill
from daemon.report.figures import name
from daemon.report.material import Material
from daemon.report.page import plotly_script, render
from daemon.report.parts import Chart, Line, Section, Table
from daemon.report.sections import sections

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">`</code><b>`&lt;'


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def page(material: Material) -> str:
    return render(material, sections(material))


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_nothing_lies_outside_and_nothing_runs_but_its_own_scripts(elements: Elements) -> None:
    for tag, attributes in elements.found:
        assert not any(key.startswith("on") for key in attributes), (tag, attributes)
        assert "src" not in attributes
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        if tag == "a":
            assert str(attributes["href"]).startswith("#")
    (policy,) = [one["content"] for tag, one in elements.found if one.get("http-equiv") == "Content-Security-Policy"]
    data, *scripts = elements.scripts
    sums = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", str(policy)) == sums
    assert str(policy).startswith("default-src 'none'; ")
    assert json.loads(data).keys() >= {"candles-0", "equity-live", "reliability-backtest"}


def test_every_link_leads_to_a_section_and_every_chart_has_a_name_and_its_numbers(
    page: str, elements: Elements, material: Material
) -> None:
    ids = {one["id"] for _, one in elements.found if "id" in one}
    assert {str(one["href"])[1:] for tag, one in elements.found if tag == "a"} <= ids
    drawn = [one for _, one in elements.found if one.get("class") == "chart"]
    assert len(drawn) == sum(len(one.charts) for one in sections(material))
    assert all(one["role"] == "img" and len(str(one["aria-label"])) > 20 for one in drawn)
    assert page.count("<details>") >= len(drawn)


def test_hostile_words_stay_words(material: Material) -> None:
    hostile = replace(
        material,
        symbols=(HOSTILE,),
        signals=[{**row, "symbol": HOSTILE, "reasons": json.dumps([HOSTILE])} for row in material.signals],
        bars={HOSTILE: material.bars["AAA.NS"]},
        health=Health((Finding(Ill.FAILING, HOSTILE),), ()),
        runs=[replace(run, detail=HOSTILE) for run in material.runs],
    )
    found = Elements(render(hostile, sections(hostile)))
    assert len(found.scripts) == 3
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in found.found)
    assert "<script>alert(1)</script>" in found.text
    assert '<img src=x onerror="alert(2)">' in found.text


def test_a_figure_ends_no_script_and_shows_no_tags_of_a_member(material: Material) -> None:
    figure = {"data": [{"name": name(HOSTILE), "text": HOSTILE}], "layout": {}, "shared": {}}
    table = Table(HOSTILE, (HOSTILE,), ((HOSTILE,),))
    parts = (Chart("one", HOSTILE, figure, table), Line(HOSTILE))
    found = Elements(render(material, [Section("s", HOSTILE, HOSTILE, HOSTILE, parts)]))
    assert len(found.scripts) == 3
    drawn: dict[str, Any] = json.loads(found.scripts[0])
    assert drawn["one"]["data"][0]["text"] == HOSTILE
    assert "<" not in drawn["one"]["data"][0]["name"]
    assert not any(tag == "img" for tag, _ in found.found)


def test_words_between_backticks_are_code_and_escaped_first(material: Material) -> None:
    section = Section("s", "t", "m.", "s", (Line("say `<b>` & `run`"),))
    assert "say <code>&lt;b&gt;</code> &amp; <code>run</code>" in render(material, [section])


def test_the_library_that_draws_is_taken_as_a_file() -> None:
    import sys

    assert "plotly" not in sys.modules
    assert plotly_script().startswith("/**\n* plotly.js v")


def test_it_leaves_room_for_ten_years(page: str) -> None:
    assert len(page.encode()) < 5_300_000
