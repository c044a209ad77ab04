"""What the dashboard answers, to whom, and with which headers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from daemon.console.redaction import hide
from daemon.dashboard.app import HEADERS, Pages, dashboard
from daemon.errors import DaemonError, WrongQuestion

WELL: Mapping[str, Any] = {"healthy": True, "findings": [], "equity": float("nan")}
PAGES = Pages(lambda query: f"<p>{query.get('symbol', 'all')}</p>", lambda: WELL, lambda: "metrics 1.0\n")


def client(pages: Pages = PAGES, *, host: str = "127.0.0.1:8470") -> TestClient:
    return TestClient(dashboard(pages), base_url=f"http://{host}", raise_server_exceptions=False)


def test_each_page_is_what_its_source_says_now() -> None:
    with client() as browser:
        assert browser.get("/").text == "<p>all</p>"
        assert browser.get("/?symbol=AAA.NS").text == "<p>AAA.NS</p>"
        assert browser.get("/metrics").text == "metrics 1.0\n"
        answer = browser.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"healthy": True, "findings": [], "equity": None})


def test_a_monitor_learns_by_the_status_alone_that_the_daemon_is_not_well() -> None:
    with client(replace(PAGES, health=lambda: {"healthy": False})) as browser:
        assert browser.get("/health").status_code == 503


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
@pytest.mark.parametrize("path", ["/", "/health", "/metrics"])
def test_nothing_can_be_written(method: str, path: str) -> None:
    with client() as browser:
        assert browser.request(method, path).status_code == 405


def test_no_path_takes_more_than_get_and_head() -> None:
    routes = [route for route in dashboard(PAGES).routes if isinstance(route, Route)]
    assert len(routes) == 3
    assert {method for route in routes for method in route.methods or ()} == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/nowhere", "/../../etc/passwd"])
def test_every_answer_has_every_header_even_a_refusal(path: str) -> None:
    with client() as browser:
        headers = browser.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8470", "10.0.0.1"])
def test_a_name_that_somebody_else_made_lead_here_is_refused(host: str) -> None:
    with client(host=host) as browser:
        answer = browser.get("/")
    assert answer.status_code == 400
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["127.0.0.1:9999", "localhost:8470"])
def test_the_machines_own_names_are_answered(host: str) -> None:
    with client(host=host) as browser:
        assert browser.get("/").status_code == 200


def test_a_database_that_cannot_be_read_is_one_line_without_secrets() -> None:
    hide(["hunter2hunter2"])

    def fails(_: Mapping[str, str]) -> str:
        raise DaemonError("storage.url postgresql://me:hunter2hunter2@db is away\nTraceback")

    with client(replace(PAGES, report=fails)) as browser:
        answer = browser.get("/")
    assert (answer.status_code, answer.text.count("\n")) == (503, 1)
    assert "hunter2" not in answer.text
    assert "is away" in answer.text


def test_a_question_that_has_to_change_is_told_apart_from_a_daemon_in_trouble() -> None:
    def refuses(query: Mapping[str, str]) -> str:
        raise WrongQuestion(f"from was {query['from']!r}; it must be a date such as 2021-10-01.")

    with client(replace(PAGES, report=refuses)) as browser:
        answer = browser.get("/?from=yesterday")
    assert (answer.status_code, answer.text) == (400, "from was 'yesterday'; it must be a date such as 2021-10-01.\n")


def test_an_error_that_nobody_foresaw_shows_no_insides() -> None:
    def fails() -> str:
        raise RuntimeError("secret insides")

    with client(replace(PAGES, metrics=fails)) as browser:
        answer = browser.get("/metrics")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
